import type { ChoiceRule, State } from "./definition.ts";
import { DefinitionError } from "./errors.ts";
import { Fields } from "./fields.ts";
import type { Json } from "./json.ts";
import { loadSequence, requireJsonata } from "./load.ts";
import { loadMap, MAP_FIELDS } from "./load-map.ts";
import { loadCatch, loadRetry } from "./load-retry.ts";
import { parseResource } from "./resources.ts";
import { checkTaskArguments } from "./task-arguments.ts";

const COMMON = ["Type", "Comment", "QueryLanguage"];
const FLOW = [...COMMON, "Next", "End", "Assign", "Output"];
const GUARD = [...FLOW, "Retry", "Catch"];

const FIELDS = {
  Pass: FLOW,
  Wait: [...FLOW, "Seconds", "Timestamp"],
  Succeed: [...COMMON, "Output"],
  Fail: [...COMMON, "Error", "Cause"],
  Choice: [...COMMON, "Choices", "Default", "Assign", "Output"],
  Task: [...GUARD, "Resource", "Arguments", "TimeoutSeconds", "HeartbeatSeconds"],
  Parallel: [...GUARD, "Branches", "Arguments"],
  Map: [...GUARD, ...MAP_FIELDS],
} as const;

/** Reads one state. @throws DefinitionError for an unknown type or field, and for fields that do not go together. */
export function loadState(name: string, value: Json, where: string, taken: Set<string>): State {
  const type = (value as { Type?: unknown } | null)?.Type;
  if (typeof type !== "string" || !(type in FIELDS)) {
    throw new DefinitionError(
      `${where}.Type`,
      `is ${JSON.stringify(type)}; known are ${Object.keys(FIELDS).join(", ")}`,
    );
  }
  const fields = new Fields(value, where, FIELDS[type as keyof typeof FIELDS]);
  requireJsonata(fields, "JSONata");
  switch (type as keyof typeof FIELDS) {
    case "Pass":
      return { type: "Pass", name, ...flow(fields) };
    case "Wait":
      return loadWait(name, fields);
    case "Succeed":
      return { type: "Succeed", name, output: fields.template("Output") };
    case "Fail":
      fields.template("Error");
      fields.template("Cause");
      return { type: "Fail", name, error: fields.optionalString("Error"), cause: fields.optionalString("Cause") };
    case "Choice":
      return loadChoice(name, fields);
    case "Task":
      return loadTask(name, fields);
    case "Parallel": {
      const branches = fields.list("Branches").map((branch, index) => {
        const inner = new Fields(branch, `${fields.at("Branches")}[${index}]`, ["StartAt", "States", "Comment"]);
        return loadSequence(inner, taken);
      });
      if (branches.length === 0) throw new DefinitionError(fields.at("Branches"), "must not be empty");
      return { type: "Parallel", name, branches, arguments: fields.template("Arguments"), ...guard(fields) };
    }
    case "Map":
      return { name, ...guard(fields), ...loadMap(fields, taken) };
  }
}

function flow(fields: Fields) {
  const next = fields.optionalString("Next");
  const end = fields.raw("End") === true;
  if ((next === undefined) !== end) throw new DefinitionError(fields.where, "must have either Next or End: true");
  return { next, output: fields.template("Output"), assign: fields.assign() };
}

function guard(fields: Fields) {
  return { ...flow(fields), retry: loadRetry(fields), catch: loadCatch(fields) };
}

function loadWait(name: string, fields: Fields): State {
  const seconds = fields.numberField("Seconds", { min: 0, whole: true });
  fields.template("Timestamp");
  const timestamp = fields.optionalString("Timestamp");
  if ((seconds === undefined) === (timestamp === undefined)) {
    throw new DefinitionError(fields.where, "must have one of Seconds and Timestamp");
  }
  return { type: "Wait", name, seconds, timestamp, ...flow(fields) };
}

function loadChoice(name: string, fields: Fields): State {
  const rules = fields.list("Choices").map((value, index): ChoiceRule => {
    const known = ["Condition", "Next", "Assign", "Output", "Comment"];
    const rule = new Fields(value, `${fields.at("Choices")}[${index}]`, known);
    const condition = rule.template("Condition");
    if (condition === undefined) throw new DefinitionError(rule.at("Condition"), "is required");
    return { condition, next: rule.string("Next"), output: rule.template("Output"), assign: rule.assign() };
  });
  if (rules.length === 0) throw new DefinitionError(fields.at("Choices"), "must not be empty");
  const fallback = {
    default: fields.optionalString("Default"),
    output: fields.template("Output"),
    assign: fields.assign(),
  };
  return { type: "Choice", name, rules, ...fallback };
}

function loadTask(name: string, fields: Fields): State {
  const resource = parseResource(fields.string("Resource"), fields.at("Resource"));
  const timeoutSeconds = fields.numberField("TimeoutSeconds", { min: 1, whole: true });
  const heartbeatSeconds = fields.numberField("HeartbeatSeconds", { min: 1, whole: true });
  if (
    typeof timeoutSeconds === "number" &&
    typeof heartbeatSeconds === "number" &&
    heartbeatSeconds >= timeoutSeconds
  ) {
    throw new DefinitionError(fields.at("HeartbeatSeconds"), "must be smaller than TimeoutSeconds");
  }
  const args = fields.template("Arguments");
  checkTaskArguments(resource, args, fields.at("Arguments"));
  return { type: "Task", name, resource, arguments: args, timeoutSeconds, heartbeatSeconds, ...guard(fields) };
}
