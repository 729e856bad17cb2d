import { Failure } from "../../contract/failures.ts";
import type { ExecResult } from "../host/exec.ts";

const SCRIPT =
  /^ ?(?:new|installed|old) (\S+) package (pre|post)-(installation|removal) (?:script|maintscript) (?:subprocess )?(.*)$/m;
const NAMES: Readonly<Record<string, string>> = {
  "pre-installation": "preinst",
  "post-installation": "postinst",
  "pre-removal": "prerm",
  "post-removal": "postrm",
};
/** dpkg announcing what it does with which package. */
const STARTING =
  /^(?:Setting up|Unpacking|Removing|Preparing to unpack \S*?|Purging configuration files for) ?([a-z0-9][a-z0-9+.:-]+)/;
const PACKAGE = /^dpkg: error processing (?:package|archive) (\S+) \(--(\S+)\):$/m;

/**
 * What went wrong when apt-get failed, from its own and dpkg's words. Pure.
 * @param deadlineMs milliseconds it had
 */
export function installFailure(result: ExecResult, deadlineMs: number): Failure {
  const lines = lastLines(result, 12);
  if (result.timedOut)
    return new Failure(
      "installTimedOut",
      `apt-get did not end within ${deadlineMs / 1_000} s. Its last lines: ${lines}`,
    );
  const output = `${result.stderr}\n${result.stdout}`;
  const script = SCRIPT.exec(output);
  if (script !== null) {
    const [, name, when, what, how] = script;
    const file = NAMES[`${when}-${what}`] ?? `${when}-${what}`;
    const said = scriptLines(result, name ?? "");
    return new Failure("maintainerScriptFailed", `${name}: its ${file} ${how}: ${said === "" ? lines : said}`);
  }
  const named = PACKAGE.exec(output);
  const subject = named === null ? "apt-get" : `${named[1]} (${named[2]})`;
  return new Failure("installFailed", `${subject}: exit ${result.exitCode ?? result.signal}. Last lines: ${lines}`);
}

/** How many lines before dpkg's complaint may be the script's own. */
const SCRIPT_LINES = 4;

/**
 * What the failed script itself said: dpkg goes on with other packages, so it is not what came last. On stderr it stands right before
 * dpkg names the package, on stdout after dpkg said what it was about to do with it.
 */
function scriptLines({ stdout, stderr }: Pick<ExecResult, "stdout" | "stderr">, name: string): string {
  const lines = (text: string) => text.split("\n").map((line) => line.trim());
  const errors = lines(stderr);
  // dpkg's complaint names package or file on one line, and the script on the next.
  const complaint = errors.findIndex((line) => SCRIPT.exec(line)?.[1] === name) - 1;
  const before = errors.slice(Math.max(0, complaint - SCRIPT_LINES), Math.max(0, complaint));
  const own = before.slice(before.findLastIndex((line) => line.startsWith("dpkg:")) + 1);
  const output = lines(stdout);
  const begun = output.findLastIndex((line) => {
    const [, what = ""] = STARTING.exec(line) ?? [];
    return what.split(":")[0] === name || what.endsWith(`-${name}.deb`);
  });
  const rest = begun === -1 ? [] : output.slice(begun + 1);
  const next = rest.findIndex((line) => STARTING.test(line) || /^Processing triggers /.test(line));
  const printed = rest.slice(0, next === -1 ? rest.length : next).slice(-SCRIPT_LINES);
  return [...printed, ...own].filter((line) => line !== "").join(" | ");
}

/** The last lines of a process, both streams, joined for a message; apt's own progress is left out. */
export function lastLines(result: Pick<ExecResult, "stdout" | "stderr">, count: number): string {
  const useful = (text: string) =>
    text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !/^(Get:|Reading |Building |The following |\(Reading database)/.test(line));
  const [out, error] = [useful(result.stdout).slice(-count), useful(result.stderr).slice(-count)];
  return [...out, ...error].slice(-count).join(" | ");
}
