import { XMLParser } from "fast-xml-parser";
import type { AwsResponse } from "../protocol/request.ts";
import { readContent } from "./body.ts";
import { emptyAnswer, type S3Call, writeCondition, xmlAnswer } from "./call.ts";
import { s3Errors } from "./errors.ts";
import { keptHeaders } from "./kept-headers.ts";
import { checksumHeaders } from "./object-calls.ts";

const parser = new XMLParser({ parseTagValue: false, isArray: (name) => name === "Part" || name === "Object" });

/** The first element of a request's XML body. @throws AwsError MalformedXML */
export function readXml(body: Buffer, root: string): Record<string, unknown> {
  const parsed: unknown = parser.parse(body.toString("utf8"));
  const found = (parsed as Record<string, unknown>)[root];
  if (typeof found !== "object" || found === null) throw s3Errors.malformed();
  return found as Record<string, unknown>;
}

const uploadId = (call: S3Call) => call.request.query.get("uploadId") ?? "";
const requirePut = (call: S3Call) => call.require("s3:PutObject", `arn:aws:s3:::${call.bucket}/${call.key}`);

export function createUpload(call: S3Call): AwsResponse {
  requirePut(call);
  const UploadId = call.uploads.create(call.bucket, call.key, keptHeaders(call.request.headers));
  return xmlAnswer("InitiateMultipartUploadResult", { Bucket: call.bucket, Key: call.key, UploadId });
}

export function uploadPart(call: S3Call): AwsResponse {
  requirePut(call);
  const { content, checksum } = readContent(call.request.headers, call.request.body);
  const number = Number(call.request.query.get("partNumber"));
  const part = call.uploads.addPart(uploadId(call), call, number, content, checksum);
  const { "x-amz-checksum-type": _notOfParts, ...headers } = checksumHeaders(part);
  return emptyAnswer(200, { etag: part.etag, ...headers });
}

export function listParts(call: S3Call): AwsResponse {
  call.require("s3:ListMultipartUploadParts", `arn:aws:s3:::${call.bucket}/${call.key}`);
  const parts = call.uploads.parts(uploadId(call), call);
  return xmlAnswer("ListPartsResult", {
    Bucket: call.bucket,
    Key: call.key,
    UploadId: uploadId(call),
    IsTruncated: false,
    Part: parts.map(([number, part]) => ({
      PartNumber: number,
      LastModified: part.at,
      ETag: part.etag,
      Size: part.content.length,
      ...(part.checksum === null ? {} : { [`Checksum${part.checksum.name.toUpperCase()}`]: part.checksum.value }),
    })),
  });
}

export async function completeUpload(call: S3Call): Promise<AwsResponse> {
  requirePut(call);
  const { Part = [] } = readXml(call.request.body, "CompleteMultipartUpload");
  const named = (Part as Record<string, string | undefined>[]).map(({ PartNumber, ETag = "", ...more }) => ({
    number: Number(PartNumber),
    etag: ETag.replaceAll("&quot;", '"'),
    checksums: Object.entries(more).flatMap(([name, value = ""]) =>
      name.startsWith("Checksum") ? [{ name: name.slice("Checksum".length).toLowerCase(), value }] : [],
    ),
  }));
  const condition = writeCondition(call.request.headers, call.key);
  const version = await call.uploads.complete(uploadId(call), call, named, condition);
  return xmlAnswer(
    "CompleteMultipartUploadResult",
    {
      Location: `/${call.bucket}/${call.key}`,
      Bucket: call.bucket,
      Key: call.key,
      ETag: version.etag,
      ...(version.checksum === null
        ? {}
        : { [`Checksum${version.checksum.name.toUpperCase()}`]: version.checksum.value, ChecksumType: "COMPOSITE" }),
    },
    { "x-amz-version-id": version.versionId },
  );
}

export function abortUpload(call: S3Call): AwsResponse {
  call.require("s3:AbortMultipartUpload", `arn:aws:s3:::${call.bucket}/${call.key}`);
  call.uploads.abort(uploadId(call), call);
  return emptyAnswer(204);
}
