import { ZodError, type z } from "zod";
import { AwsError, notModelled } from "../aws-error.ts";
import type { AccessRequest, Caller, Operation, Service } from "./request.ts";

/** An operation with its input checked: a wrong value is a ValidationException, a field that is not modelled here is named. */
export function operation<T extends z.ZodType>(
  schema: T,
  run: (input: z.infer<T>, caller: Caller) => unknown,
): Operation {
  return (input, caller) => run(schema.parse(input), caller);
}

/**
 * Carries out one operation of a service for a caller who is allowed to.
 * @throws AwsError; `NotModelledLocally` names service and operation when the local stack does not know it
 */
export async function call(service: Service, name: string, input: unknown, caller: Caller): Promise<unknown> {
  const run = Object.hasOwn(service.operations, name) ? service.operations[name] : undefined;
  if (run === undefined) throw notModelled(`${service.name} ${name}`);
  try {
    for (const request of service.access?.(name, input) ?? [on(`${service.name}:${name}`, "*")]) {
      requireAccess(caller, request, "AccessDeniedException");
    }
    return (await run(input, caller)) ?? {};
  } catch (error) {
    throw asAwsError(error, `${service.name} ${name}`);
  }
}

/** @throws AwsError under the name by which the service refuses: `AccessDenied` or `AccessDeniedException` */
export function requireAccess(caller: Caller, request: AccessRequest, code: string): void {
  if (caller.allows(request)) return;
  const { action, resource } = request;
  const message = `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`;
  throw new AwsError(code, message, { status: code === "AccessDeniedException" ? 400 : 403 });
}

/** An access request without conditions of its own. */
export function on(action: string, resource: string): AccessRequest {
  return { action, resource, context: {} };
}

function asAwsError(error: unknown, what: string): unknown {
  if (error instanceof ZodError) {
    const issue = error.issues[0];
    if (issue?.code === "unrecognized_keys") return notModelled(`${what} with ${issue.keys.join(", ")}`);
    return new AwsError("ValidationException", `${issue?.path.join(".")}: ${issue?.message}`);
  }
  // The interpreter's refusals carry the exception's name as we do; Node's own error codes are all capitals.
  if (error instanceof Error && !(error instanceof AwsError) && "code" in error) {
    const code = String(error.code);
    if (/[a-z]/.test(code)) return new AwsError(code, error.message);
  }
  return error;
}
