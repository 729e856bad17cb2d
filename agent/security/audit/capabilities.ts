import { requireEnded } from "../../host/ended.ts";
import { CommandNotFound } from "../../host/exec.ts";
import { type Checker, count, draft, type Looked, looked, unknown } from "./checker.ts";

const FOLDERS = ["/usr", "/bin", "/sbin", "/lib", "/opt", "/etc", "/boot"];

/** Programs that run with some of root's rights. */
export const capabilities: Checker = {
  id: "capabilities",
  title: "Programs with capabilities",
  comprehensive: true,
  run: async ({ machine, facts }) => {
    try {
      const result = await machine.exec("getcap", ["-r", ...FOLDERS], { deadlineMs: 60_000 });
      return judgeCapabilities(requireEnded(result).stdout, facts.owned());
    } catch (error) {
      if (error instanceof CommandNotFound) return unknown("getcap is not installed: apt-get install libcap2-bin");
      throw error;
    }
  },
};

/** Pure. @param stdout lines of getcap: a path, perhaps `=`, and its capabilities */
export function judgeCapabilities(stdout: string, owned: ReadonlySet<string>): Looked {
  const seen = stdout.split("\n").flatMap((line) => {
    const match = /^(.+?)(?: =)? (cap_\S+)$/.exec(line);
    return match === null ? [] : [{ path: match[1] ?? "", text: `${match[1]} ${match[2]}` }];
  });
  const lines = (list: typeof seen) => list.map((one) => one.text);
  return looked(
    draft(
      "capabilitiesNotPackaged",
      "high",
      (n) => `${count(n, "program")} with capabilities came from no package`,
      lines(seen.filter((one) => !owned.has(one.path))),
      "Find out what it is; if nobody knows: setcap -r PATH",
    ),
    draft(
      "capabilities",
      "info",
      (n) => `${count(n, "packaged program")} ${n === 1 ? "has" : "have"} capabilities`,
      lines(seen.filter((one) => owned.has(one.path))),
      "Nothing, when you know them",
    ),
  );
}
