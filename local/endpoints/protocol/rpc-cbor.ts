import { AwsError } from "../aws-error.ts";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import type { AwsRequest, AwsResponse } from "./request.ts";

/** Smithy RPC v2 CBOR, which the aws command line speaks to CloudWatch: the operation stands in the path. */
export function isRpcCbor(request: { readonly headers: Readonly<Record<string, string>> }): boolean {
  return request.headers["smithy-protocol"] === "rpc-v2-cbor";
}

export function readCborCall(request: AwsRequest): { operation: string; input: unknown } {
  const operation = /\/operation\/([^/?]+)$/.exec(request.path)?.[1] ?? "";
  try {
    return { operation, input: request.body.length === 0 ? {} : decodeCbor(request.body) };
  } catch (error) {
    throw new AwsError("SerializationException", error instanceof Error ? error.message : String(error));
  }
}

export function writeCborAnswer(output: unknown): AwsResponse {
  return { status: 200, headers: HEADERS, body: encodeCbor(output) };
}

export function writeCborError({ code, message, status }: AwsError): AwsResponse {
  return { status, headers: HEADERS, body: encodeCbor({ __type: code, message }) };
}

const HEADERS = { "content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor" };
