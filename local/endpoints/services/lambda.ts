import { AwsError, notModelled } from "../aws-error.ts";
import { on, requireAccess } from "../protocol/call.ts";
import type { AwsRequest, AwsResponse } from "../protocol/request.ts";

/** A function's answer, or the error it ended with. */
export type InvokeAnswer =
  | { readonly payload: unknown }
  | { readonly error: { readonly errorType: string; readonly errorMessage: string } };

export interface LambdaPort {
  /** ARN of a function by name or ARN; null when there is none. */
  arnOf(name: string): string | null;
  invoke(arn: string, event: unknown): Promise<InvokeAnswer>;
}

const INVOKE = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/** Lambda Invoke, REST. An `Event` invocation is answered before it has run. @throws AwsError */
export async function answerLambda(request: AwsRequest, port: LambdaPort): Promise<AwsResponse> {
  const name = decodeURIComponent(INVOKE.exec(request.path)?.[1] ?? "");
  if (request.method !== "POST" || name === "") throw notModelled(`lambda ${request.method} ${request.path}`);
  const arn = port.arnOf(name);
  if (arn === null) {
    throw new AwsError("ResourceNotFoundException", `Function not found: ${name}`, { status: 404 });
  }
  requireAccess(request.caller, on("lambda:InvokeFunction", arn), "AccessDeniedException");
  const text = request.body.toString("utf8");
  const running = port.invoke(arn, text === "" ? {} : parse(text));
  const kind = request.headers["x-amz-invocation-type"] ?? "RequestResponse";
  if (kind === "Event") {
    // Its outcome is the function's own affair, as with the service.
    running.catch(() => {});
    return { status: 202, headers: {}, body: "" };
  }
  if (kind !== "RequestResponse") throw notModelled(`lambda Invoke of type ${kind}`);
  const answer = await running;
  const headers = { "content-type": "application/json", "x-amz-executed-version": "$LATEST" };
  if ("payload" in answer) return { status: 200, headers, body: JSON.stringify(answer.payload ?? null) };
  return {
    status: 200,
    headers: { ...headers, "x-amz-function-error": "Unhandled" },
    body: JSON.stringify(answer.error),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AwsError("InvalidRequestContentException", "Could not parse request body into json");
  }
}
