import { AwsError } from "../aws-error.ts";
import type { AwsResponse } from "../protocol/request.ts";
import { emptyAnswer, type S3Call, xmlAnswer } from "./call.ts";
import { s3Errors } from "./errors.ts";
import { type Line, listing } from "./listing.ts";
import { readXml } from "./multipart-calls.ts";
import type { ObjectVersion } from "./store.ts";

const MOST_KEYS = 1000;
const bucketArn = (call: S3Call) => `arn:aws:s3:::${call.bucket}`;

export function listBuckets(call: S3Call): AwsResponse {
  call.require("s3:ListAllMyBuckets", "*");
  const Bucket = call.store.buckets().map(({ name, createdAt }) => ({ Name: name, CreationDate: createdAt }));
  const { account } = call;
  return xmlAnswer("ListAllMyBucketsResult", { Owner: { ID: account, DisplayName: account }, Buckets: { Bucket } });
}

export function headBucket(call: S3Call): AwsResponse {
  call.require("s3:ListBucket", bucketArn(call));
  call.store.keys(call.bucket);
  return emptyAnswer(200);
}

export function getBucketLocation(call: S3Call): AwsResponse {
  call.require("s3:GetBucketLocation", bucketArn(call));
  call.store.keys(call.bucket);
  // The oldest Region goes by no name here.
  return xmlAnswer("LocationConstraint", call.region === "us-east-1" ? "" : call.region);
}

export function getBucketVersioning(call: S3Call): AwsResponse {
  call.require("s3:GetBucketVersioning", bucketArn(call));
  call.store.keys(call.bucket);
  return xmlAnswer("VersioningConfiguration", { Status: "Enabled" });
}

/** ListObjectsV2. */
export function listObjects(call: S3Call): AwsResponse {
  const { query } = call.request;
  call.require("s3:ListBucket", bucketArn(call), { "s3:prefix": query.get("prefix") ?? "" });
  const token = query.get("continuation-token");
  const after = token === null ? (query.get("start-after") ?? "") : Buffer.from(token, "base64url").toString();
  const request = { ...shape(query), after };
  const objects = call.store.keys(call.bucket).flatMap((key) => call.store.current(call.bucket, key) ?? []);
  const { lines, isTruncated, last } = listing(objects, request);
  return xmlAnswer("ListBucketResult", {
    Name: call.bucket,
    Prefix: encoded(query, request.prefix),
    ...(request.delimiter === "" ? {} : { Delimiter: encoded(query, request.delimiter) }),
    MaxKeys: request.maxKeys,
    KeyCount: lines.length,
    IsTruncated: isTruncated,
    ...(query.get("encoding-type") === "url" ? { EncodingType: "url" } : {}),
    ContinuationToken: token,
    StartAfter: query.get("start-after"),
    ...(isTruncated ? { NextContinuationToken: Buffer.from(last).toString("base64url") } : {}),
    Contents: items(lines).map((version) => entry(query, version)),
    CommonPrefixes: prefixes(query, lines),
  });
}

export function listVersions(call: S3Call): AwsResponse {
  call.require("s3:ListBucketVersions", bucketArn(call));
  const { query } = call.request;
  if (query.get("version-id-marker")) throw s3Errors.notImplemented("ListObjectVersions with version-id-marker");
  const request = { ...shape(query), after: query.get("key-marker") ?? "" };
  const groups = call.store.keys(call.bucket).map((key) => ({ key, versions: call.store.versions(call.bucket, key) }));
  // A page ends between keys: every version of a key is on the page of that key.
  const { lines, isTruncated, last } = listing(groups, request);
  const shown = lines.flatMap((line) => ("item" in line ? line.item.versions.toReversed() : []));
  const isLatest = (version: ObjectVersion) => call.store.versions(call.bucket, version.key).at(-1) === version;
  return xmlAnswer("ListVersionsResult", {
    Name: call.bucket,
    Prefix: encoded(query, request.prefix),
    KeyMarker: encoded(query, request.after),
    VersionIdMarker: "",
    MaxKeys: request.maxKeys,
    ...(request.delimiter === "" ? {} : { Delimiter: encoded(query, request.delimiter) }),
    ...(query.get("encoding-type") === "url" ? { EncodingType: "url" } : {}),
    IsTruncated: isTruncated,
    ...(isTruncated ? { NextKeyMarker: encoded(query, last) } : {}),
    Version: shown
      .filter((version) => !version.isDeleteMarker)
      .map((version) => ({ ...entry(query, version), VersionId: version.versionId, IsLatest: isLatest(version) })),
    DeleteMarker: shown
      .filter((version) => version.isDeleteMarker)
      .map((version) => ({
        Key: encoded(query, version.key),
        VersionId: version.versionId,
        IsLatest: isLatest(version),
        LastModified: version.lastModified,
      })),
    CommonPrefixes: prefixes(query, lines),
  });
}

/** DeleteObjects: up to 1,000 at once, each allowed or refused for itself. */
export async function deleteObjects(call: S3Call): Promise<AwsResponse> {
  const { Object: objects = [], Quiet } = readXml(call.request.body, "Delete");
  const Deleted: Record<string, unknown>[] = [];
  const refused: Record<string, unknown>[] = [];
  for (const { Key, VersionId } of objects as { Key: string; VersionId?: string }[]) {
    try {
      const action = VersionId === undefined ? "s3:DeleteObject" : "s3:DeleteObjectVersion";
      call.require(action, `${bucketArn(call)}/${Key}`);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      refused.push({ Key, VersionId, Code: "AccessDenied", Message: "Access Denied" });
      continue;
    }
    const gone = await call.store.delete(call.bucket, Key, VersionId ?? null);
    const marker = gone.isMarker ? { DeleteMarker: true, DeleteMarkerVersionId: gone.versionId } : {};
    Deleted.push({ Key, VersionId, ...marker });
  }
  return xmlAnswer("DeleteResult", { ...(Quiet === "true" ? {} : { Deleted }), Error: refused });
}

function shape(query: URLSearchParams) {
  const maxKeys = Number(query.get("max-keys") ?? MOST_KEYS);
  if (!Number.isInteger(maxKeys) || maxKeys < 0)
    throw s3Errors.invalidArgument("max-keys", String(query.get("max-keys")));
  const text = (name: string) => query.get(name) ?? "";
  return { prefix: text("prefix"), delimiter: text("delimiter"), maxKeys: Math.min(maxKeys, MOST_KEYS) };
}

function entry(query: URLSearchParams, version: ObjectVersion) {
  return {
    Key: encoded(query, version.key),
    LastModified: version.lastModified,
    ETag: version.etag,
    ...(version.checksum === null ? {} : { ChecksumAlgorithm: version.checksum.name.toUpperCase() }),
    Size: version.size,
    StorageClass: version.headers["x-amz-storage-class"] ?? "STANDARD",
  };
}

function items<T>(lines: readonly Line<T>[]): T[] {
  return lines.flatMap((line) => ("item" in line ? [line.item] : []));
}

function prefixes<T>(query: URLSearchParams, lines: readonly Line<T>[]): { Prefix: string }[] {
  return lines.flatMap((line) => ("prefix" in line ? [{ Prefix: encoded(query, line.prefix) }] : []));
}

function encoded(query: URLSearchParams, text: string): string {
  return query.get("encoding-type") === "url" ? encodeURIComponent(text).replaceAll("%2F", "/") : text;
}
