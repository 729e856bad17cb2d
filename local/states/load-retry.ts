import type { Catcher, Retrier } from "./definition.ts";
import { DefinitionError } from "./errors.ts";
import { Fields } from "./fields.ts";

/** Reads Retry with the defaults of the States Language: 1 s, 3 attempts, back-off 2, no cap, no jitter. */
export function loadRetry(fields: Fields): Retrier[] {
  const known = [
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
    "Comment",
  ];
  const list = fields.list("Retry");
  return list.map((value, index) => {
    const retrier = new Fields(value, `${fields.at("Retry")}[${index}]`, known);
    const intervalSeconds = retrier.number("IntervalSeconds", { min: 1, max: 99_999_999, whole: true }) ?? 1;
    const maxDelaySeconds = retrier.number("MaxDelaySeconds", { min: 1, max: 31_622_400, whole: true });
    if (maxDelaySeconds !== undefined && maxDelaySeconds <= intervalSeconds) {
      throw new DefinitionError(retrier.at("MaxDelaySeconds"), "must be greater than IntervalSeconds");
    }
    return {
      errorEquals: errorEquals(retrier, index === list.length - 1),
      intervalSeconds,
      maxAttempts: retrier.number("MaxAttempts", { min: 0, max: 99_999_999, whole: true }) ?? 3,
      backoffRate: retrier.number("BackoffRate", { min: 1, max: Number.MAX_VALUE, whole: false }) ?? 2,
      maxDelaySeconds,
      jitter: retrier.oneOf("JitterStrategy", ["NONE", "FULL"], "NONE") === "FULL",
    };
  });
}

/** Reads Catch. */
export function loadCatch(fields: Fields): Catcher[] {
  const list = fields.list("Catch");
  return list.map((value, index) => {
    const known = ["ErrorEquals", "Next", "Output", "Assign", "Comment"];
    const catcher = new Fields(value, `${fields.at("Catch")}[${index}]`, known);
    return {
      errorEquals: errorEquals(catcher, index === list.length - 1),
      next: catcher.string("Next"),
      output: catcher.template("Output"),
      assign: catcher.assign(),
    };
  });
}

function errorEquals(fields: Fields, last: boolean): string[] {
  const names = fields.list("ErrorEquals");
  if (names.length === 0) throw new DefinitionError(fields.at("ErrorEquals"), "must not be empty");
  const strings = names.filter((name) => typeof name === "string");
  if (strings.length !== names.length) throw new DefinitionError(fields.at("ErrorEquals"), "must hold strings only");

  if (strings.includes("States.ALL") && !(strings.length === 1 && last)) {
    throw new DefinitionError(fields.at("ErrorEquals"), "States.ALL must stand alone and in the last entry");
  }
  return strings;
}
