import { Failure } from "../../contract/failures.ts";
import type { ExecResult } from "./exec.ts";

/**
 * The result of a program that came to an end of its own. One that was killed has said nothing about what it was asked, least of
 * all that somebody tampers.
 * @throws Failure `programKilled`
 */
export function requireEnded(result: ExecResult): ExecResult {
  if (result.exitCode !== null && !result.timedOut) return result;
  const [program = "", first = ""] = result.command;
  const why = result.timedOut
    ? `did not end within ${Math.round(result.durationMs / 1_000)} s`
    : `was ended by ${result.signal}`;
  throw new Failure("programKilled", `${program} ${first} ${why}; nobody knows what it would have said`);
}
