import type { ChoiceState, FailState, PassState, SucceedState, WaitState } from "./definition.ts";
import { StateFailure } from "./errors.ts";
import { evaluateAs, evaluateNumber, queryFailure } from "./evaluate.ts";
import { leave } from "./leave.ts";
import { frameOf, type Step, type Visit } from "./run.ts";
import { pause } from "./waiting.ts";

export function runPass(visit: Visit<PassState>): Promise<Step> {
  return leave(visit, { ...visit.state, fallback: visit.input });
}

export function runSucceed(visit: Visit<SucceedState>): Promise<Step> {
  return leave(visit, { output: visit.state.output, assign: undefined, next: undefined, fallback: visit.input });
}

export async function runFail(visit: Visit<FailState>): Promise<Step> {
  const frame = frameOf(visit);
  const { error, cause } = visit.state;
  const name = error === undefined ? "" : await evaluateAs("string", error, "Error", frame);
  const why = cause === undefined ? null : await evaluateAs("string", cause, "Cause", frame);
  throw new StateFailure(name as string, why as string | null);
}

const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

export async function runWait(visit: Visit<WaitState>): Promise<Step> {
  const { state, branch } = visit;
  const frame = frameOf(visit);
  const { clock } = branch.run.ports;
  let ms: number;
  if (state.timestamp === undefined) {
    ms = (await evaluateNumber(state.seconds ?? 0, "Seconds", frame)) * 1000;
  } else {
    const text = (await evaluateAs("string", state.timestamp, "Timestamp", frame)) as string;
    const until = TIMESTAMP.test(text) ? Date.parse(text) : Number.NaN;
    if (Number.isNaN(until)) {
      const what = "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string:";
      throw queryFailure(`${what} ${text}`, "Timestamp", frame);
    }
    ms = until - clock.now().getTime();
  }
  if (ms > 0) await pause(clock, ms, branch.signal);
  return leave(visit, { ...state, fallback: visit.input });
}

export async function runChoice(visit: Visit<ChoiceState>): Promise<Step> {
  const { state } = visit;
  const frame = frameOf(visit);
  for (const [index, rule] of state.rules.entries()) {
    const matched = await evaluateAs("boolean", rule.condition, `Choices[${index}]/Condition`, frame);
    if (matched) return leave(visit, { ...rule, fallback: visit.input });
  }
  if (state.default === undefined) {
    throw new StateFailure(
      "States.NoChoiceMatched",
      `No choice of the state '${state.name}' matched and it has no Default.`,
    );
  }
  return leave(visit, { ...state, next: state.default, fallback: visit.input });
}
