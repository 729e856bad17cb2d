import { readSudoers, type SudoersFile, sudoersProblem } from "../../host/sudoers.ts";
import { type Checker, count, draft, type Looked, looked, notApplicable } from "./checker.ts";
import { octal } from "./file-modes.ts";

/** Who may become root, and how easily. */
export const sudo: Checker = {
  id: "sudo",
  title: "sudo's rules",
  run: async ({ machine }) => {
    const files = readSudoers(machine);
    if (files.length === 0) return notApplicable("sudo is not configured");
    return judgeSudo(files, await sudoersProblem(machine));
  },
};

/** Pure. @param problem what visudo complains of */
export function judgeSudo(files: readonly SudoersFile[], problem: string | null): Looked {
  const rules = files.flatMap(({ path, text }) => rulesOf(text).map((rule) => ({ path, rule })));
  const having = (pattern: RegExp) =>
    rules.filter(({ rule }) => pattern.test(rule)).map(({ path, rule }) => `${path}: ${rule}`);
  return looked(
    draft(
      "sudoersWritable",
      "critical",
      (n) => `${count(n, "file")} of sudo's rules may be changed by others than root`,
      files
        .filter((one) => one.uid !== 0 || (one.mode & 0o022) !== 0)
        .map((one) => `${one.path} (user ${one.uid}, mode ${octal(one.mode)})`),
      "chown root: PATH, chmod 0440 PATH (0755 for the folder); then read it: somebody may have written there",
    ),
    draft(
      "sudoersBroken",
      "high",
      () => "sudo cannot read its rules",
      problem === null ? [] : problem.split("\n"),
      "visudo -c names the line; visudo -f FILE mends it",
    ),
    draft(
      "sudoWithoutAuthentication",
      "high",
      (n) => `${count(n, "setting")} lets sudo ask for no password at all`,
      having(/^Defaults\b.*!authenticate\b/),
      "Take the line out with visudo",
    ),
    draft(
      "sudoNopasswdAll",
      "medium",
      (n) => `${count(n, "rule")} ${n === 1 ? "gives" : "give"} every command without a password`,
      having(/\bNOPASSWD\s*:\s*([^,]+,\s*)*ALL\s*$/),
      "Name the commands that are needed, or take NOPASSWD out, with visudo -f FILE",
    ),
  );
}

/** Lines as sudo reads them: continued ones joined, comments left out. */
function rulesOf(text: string): string[] {
  return text
    .replace(/\\\n/g, " ")
    .split("\n")
    .map((line) =>
      line
        .replace(/(^|\s)#(?!\d).*$/, "")
        .trim()
        .replace(/\s+/g, " "),
    )
    .filter((line) => line !== "");
}
