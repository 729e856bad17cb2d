import { VIOLATION_MARKER } from "../../../contract/failures.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { violationCount } from "../../telemetry/figures.ts";
import { readViolations, type Violation } from "../violations.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

/** Signs of tampering that the agent met. */
export const violations: Checker = {
  id: "violations",
  title: "Security violations on record",
  run: async ({ machine }) => judgeViolations(readViolations(machine), violationCount(machine)),
};

/** Pure. @param inLogs lines with the marker in the logs */
export function judgeViolations(recorded: readonly Violation[], inLogs: number): Looked {
  const lines = [...recorded]
    .reverse()
    .map(({ at, runId, code, message }) => `${at} ${code} (run ${runId}): ${message}`);
  const logged = `${count(inLogs, "line")} with ${VIOLATION_MARKER} in ${HOST_PATHS.logs}/*.log`;
  return looked(
    draft(
      "violationsRecorded",
      "critical",
      () => `${count(Math.max(recorded.length, inLogs), "security violation")} on record`,
      [...(inLogs > 0 ? [logged] : []), ...lines],
      `Read ${HOST_PATHS.state}/violations.jsonl; when each is explained, move it and the logs away`,
    ),
  );
}
