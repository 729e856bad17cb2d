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
    return new Failure("maintainerScriptFailed", `${name}: its ${file} ${how}. Last lines: ${lines}`);
  }
  const named = PACKAGE.exec(output);
  const subject = named === null ? "apt-get" : `${named[1]} (${named[2]})`;
  return new Failure("installFailed", `${subject}: exit ${result.exitCode ?? result.signal}. Last lines: ${lines}`);
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
