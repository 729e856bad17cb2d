import { DefinitionError } from "./errors.ts";
import { isJsonObject, type Json } from "./json.ts";
import type { TaskResource } from "./resources.ts";

const KNOWN: Partial<Record<TaskResource["kind"], { required: string; allowed: readonly string[] }>> = {
  invoke: { required: "FunctionName", allowed: ["FunctionName", "Payload", "InvocationType"] },
  startExecution: { required: "StateMachineArn", allowed: ["StateMachineArn", "Input", "Name"] },
};

/**
 * Checks the Arguments of the integrations whose parameters the interpreter acts on itself. Arguments that are absent or
 * one single expression cannot be checked before it runs. @throws DefinitionError naming the parameter.
 */
export function checkTaskArguments(resource: TaskResource, args: Json | undefined, where: string): void {
  const rule = KNOWN[resource.kind];
  if (rule === undefined || args === undefined || typeof args === "string") return;
  if (!isJsonObject(args)) throw new DefinitionError(where, "must be an object");
  for (const name of Object.keys(args)) {
    if (!rule.allowed.includes(name))
      throw new DefinitionError(`${where}.${name}`, "is a parameter this interpreter does not know");
  }
  if (args[rule.required] === undefined) throw new DefinitionError(`${where}.${rule.required}`, "is required");
  if (args.InvocationType !== undefined && args.InvocationType !== "RequestResponse") {
    throw new DefinitionError(`${where}.InvocationType`, "is not RequestResponse, the only one interpreted");
  }
}
