import { randomUUID } from "node:crypto";
import type { AwsRequest, AwsResponse } from "../protocol/request.ts";
import { element, XML_HEAD } from "../protocol/xml.ts";
import { s3Errors } from "./errors.ts";
import type { Uploads } from "./multipart.ts";
import type { BucketStore, ObjectVersion } from "./store.ts";

/** What a call of S3 has to work with. */
export interface S3Call {
  readonly request: AwsRequest;
  readonly bucket: string;
  /** Empty for calls on a bucket. */
  readonly key: string;
  readonly store: BucketStore;
  readonly uploads: Uploads;
  /** In whose account the buckets are. */
  readonly account: string;
  /** Where the buckets are. */
  readonly region: string;
  /** Told of each object that was put. */
  readonly created: (bucket: string, version: ObjectVersion) => void;
  /** @throws AwsError AccessDenied */
  require(action: string, resource: string, context?: Readonly<Record<string, string>>): void;
}

export const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

export function xmlAnswer(root: string, value: unknown, headers: Readonly<Record<string, string>> = {}): AwsResponse {
  const body = XML_HEAD + element(`${root} ${NAMESPACE}`, value);
  return { status: 200, headers: { "content-type": "application/xml", ...headers }, body };
}

export function emptyAnswer(status: number, headers: Readonly<Record<string, string>> = {}): AwsResponse {
  return { status, headers, body: "" };
}

/** The error document. A HEAD has no body: there the status tells. */
export function s3ErrorAnswer(
  method: string,
  {
    code,
    message,
    status,
    fields,
  }: { code: string; message: string; status: number; fields: Readonly<Record<string, string>> },
): AwsResponse {
  const requestId = randomUUID();
  const body =
    XML_HEAD + element("Error", { Code: code, Message: message, ...fields, RequestId: requestId, HostId: "local" });
  return { status, headers: { "content-type": "application/xml" }, body: method === "HEAD" ? "" : body };
}

/** The conditions of a write. @throws AwsError when the object is not as the caller expects it */
export function writeCondition(headers: Readonly<Record<string, string>>, key: string) {
  const { "if-none-match": noneMatch, "if-match": match } = headers;
  if (noneMatch !== undefined && noneMatch !== "*")
    throw s3Errors.notImplemented("If-None-Match other than * on a write");
  return (current: ObjectVersion | undefined) => {
    if (noneMatch === "*" && current !== undefined) throw s3Errors.preconditionFailed("If-None-Match");
    if (match === undefined) return;
    if (current === undefined) throw s3Errors.noSuchKey(key);
    if (unquoted(match) !== unquoted(current.etag)) throw s3Errors.preconditionFailed("If-Match");
  };
}

export function unquoted(etag: string): string {
  return etag.replaceAll('"', "");
}
