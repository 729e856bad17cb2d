import { AwsError } from "../aws-error.ts";
import type { AwsRequest, AwsResponse } from "./request.ts";

/** AWS JSON 1.0 and 1.1: the operation stands in X-Amz-Target, dates are seconds since 1970. */
export function readJsonCall(request: AwsRequest): { operation: string; input: unknown } {
  const operation = request.headers["x-amz-target"]?.split(".").at(-1) ?? "";
  const text = request.body.toString("utf8");
  try {
    return { operation, input: text === "" ? {} : JSON.parse(text) };
  } catch {
    throw new AwsError("SerializationException", "the request body is no JSON");
  }
}

export function writeJsonAnswer(request: AwsRequest, output: unknown): AwsResponse {
  return answer(request, 200, JSON.stringify(withEpochDates(output)), {});
}

export function writeJsonError(request: Pick<AwsRequest, "headers">, { code, message, status }: AwsError): AwsResponse {
  // CloudWatch is a former Query service: its clients read the code here.
  const queryError = { "x-amzn-query-error": `${code};${status >= 500 ? "Receiver" : "Sender"}` };
  return answer(request, status, JSON.stringify({ __type: code, message }), queryError);
}

function answer(
  request: Pick<AwsRequest, "headers">,
  status: number,
  body: string,
  more: Record<string, string>,
): AwsResponse {
  return {
    status,
    headers: { "content-type": request.headers["content-type"] ?? "application/x-amz-json-1.1", ...more },
    body,
  };
}

function withEpochDates(value: unknown): unknown {
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(withEpochDates);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withEpochDates(inner)]));
}
