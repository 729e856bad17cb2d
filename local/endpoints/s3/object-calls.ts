import type { AwsResponse } from "../protocol/request.ts";
import { checksumOf, readContent } from "./body.ts";
import { emptyAnswer, type S3Call, unquoted, writeCondition, xmlAnswer } from "./call.ts";
import { s3Errors } from "./errors.ts";
import { keptHeaders } from "./kept-headers.ts";
import type { ObjectVersion } from "./store.ts";

const arn = ({ bucket, key }: { bucket: string; key: string }) => `arn:aws:s3:::${bucket}/${key}`;

export async function putObject(call: S3Call): Promise<AwsResponse> {
  const { request, store, bucket, key } = call;
  call.require("s3:PutObject", arn(call));
  const { content, checksum } = readContent(request.headers, request.body);
  const object = { content, checksum, headers: keptHeaders(request.headers) };
  const version = await store.put(bucket, key, object, writeCondition(request.headers, key));
  call.created(bucket, version);
  return emptyAnswer(200, {
    etag: version.etag,
    "x-amz-version-id": version.versionId,
    ...checksumHeaders(version),
    ...encryptionHeaders(version),
  });
}

export async function copyObject(call: S3Call): Promise<AwsResponse> {
  const { request, store, bucket, key } = call;
  const source = /^\/?([^/]+)\/([^?]+)(?:\?versionId=(.+))?$/.exec(request.headers["x-amz-copy-source"] ?? "");
  if (source === null) throw s3Errors.invalidArgument("x-amz-copy-source", request.headers["x-amz-copy-source"] ?? "");
  const from = { bucket: source[1] ?? "", key: decodeURIComponent(source[2] ?? "") };
  call.require(source[3] === undefined ? "s3:GetObject" : "s3:GetObjectVersion", arn(from));
  call.require("s3:PutObject", arn(call));
  const original = store.find(from.bucket, from.key, source[3] ?? null);
  const replaced = request.headers["x-amz-metadata-directive"] === "REPLACE";
  const headers = replaced ? keptHeaders(request.headers) : original.headers;
  const content = await store.content(original);
  const wanted = request.headers["x-amz-checksum-algorithm"];
  const object = { content, checksum: wanted === undefined ? original.checksum : checksumOf(content, wanted), headers };
  const version = await store.put(bucket, key, object, writeCondition(request.headers, key));
  return xmlAnswer(
    "CopyObjectResult",
    { ETag: version.etag, LastModified: version.lastModified, ...checksumElements(version) },
    { "x-amz-version-id": version.versionId, "x-amz-copy-source-version-id": original.versionId },
  );
}

/** GET and HEAD. */
export async function getObject(call: S3Call): Promise<AwsResponse> {
  const { request, store } = call;
  const versionId = request.query.get("versionId");
  call.require(versionId === null ? "s3:GetObject" : "s3:GetObjectVersion", arn(call));
  const version = findFor(call, versionId);
  const { "if-match": match, "if-none-match": noneMatch, range } = request.headers;
  if (match !== undefined && unquoted(match) !== unquoted(version.etag)) throw s3Errors.preconditionFailed("If-Match");
  if (noneMatch !== undefined && unquoted(noneMatch) === unquoted(version.etag)) {
    return emptyAnswer(304, { etag: version.etag });
  }
  const part = range === undefined ? null : byteRange(range, version.size);
  const [from, to] = part ?? [0, version.size - 1];
  const wantsChecksum = request.headers["x-amz-checksum-mode"] === "ENABLED" && part === null;
  const headers = {
    ...version.headers,
    etag: version.etag,
    "last-modified": version.lastModified.toUTCString(),
    "accept-ranges": "bytes",
    "x-amz-version-id": version.versionId,
    "content-length": String(to - from + 1),
    ...(part === null ? {} : { "content-range": `bytes ${from}-${to}/${version.size}` }),
    ...(wantsChecksum ? checksumHeaders(version) : {}),
  };
  const status = part === null ? 200 : 206;
  if (request.method === "HEAD") return emptyAnswer(status, headers);
  const content = await store.content(version);
  return { status, headers, body: content.subarray(from, to + 1) };
}

/** Whoever may not list the bucket is not told whether a key exists. */
function findFor(call: S3Call, versionId: string | null): ObjectVersion {
  if (versionId === null && call.store.current(call.bucket, call.key) === undefined) {
    call.require("s3:ListBucket", `arn:aws:s3:::${call.bucket}`, { "s3:prefix": call.key });
  }
  return call.store.find(call.bucket, call.key, versionId);
}

export async function deleteObject(call: S3Call): Promise<AwsResponse> {
  const versionId = call.request.query.get("versionId");
  call.require(versionId === null ? "s3:DeleteObject" : "s3:DeleteObjectVersion", arn(call));
  const gone = await call.store.delete(call.bucket, call.key, versionId);
  return emptyAnswer(204, {
    "x-amz-version-id": gone.versionId,
    ...(gone.isMarker ? { "x-amz-delete-marker": "true" } : {}),
  });
}

export function checksumHeaders({ checksum }: Pick<ObjectVersion, "checksum">): Record<string, string> {
  if (checksum === null) return {};
  const type = /-\d+$/.test(checksum.value) ? "COMPOSITE" : "FULL_OBJECT";
  return { [`x-amz-checksum-${checksum.name}`]: checksum.value, "x-amz-checksum-type": type };
}

/** The same as elements of a document: `ChecksumSHA256`. */
function checksumElements(version: Pick<ObjectVersion, "checksum">): Record<string, string> {
  const { checksum } = version;
  if (checksum === null) return {};
  const type = checksumHeaders(version)["x-amz-checksum-type"] ?? "";
  return { [`Checksum${checksum.name.toUpperCase()}`]: checksum.value, ChecksumType: type };
}

function encryptionHeaders({ headers }: ObjectVersion): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith("x-amz-server-side-encryption")),
  );
}

/** First and last byte; null for a range in a form that S3 passes over. @throws AwsError InvalidRange */
function byteRange(range: string, size: number): [number, number] | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range);
  if (match === null || (match[1] === "" && match[2] === "")) return null;
  const [first, last] =
    match[1] === ""
      ? [Math.max(0, size - Number(match[2])), size - 1]
      : [Number(match[1]), match[2] === "" ? size - 1 : Number(match[2])];
  if (first >= size || last < first) throw s3Errors.invalidRange(range, size);
  return [first, Math.min(last, size - 1)];
}
