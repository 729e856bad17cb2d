import { requireAccess } from "../protocol/call.ts";
import type { AwsRequest, AwsResponse } from "../protocol/request.ts";
import * as bucketCalls from "./bucket-calls.ts";
import type { S3Call } from "./call.ts";
import { s3Errors } from "./errors.ts";
import type { Uploads } from "./multipart.ts";
import * as multipart from "./multipart-calls.ts";
import * as objects from "./object-calls.ts";
import type { BucketStore } from "./store.ts";

type Handler = (call: S3Call) => AwsResponse | Promise<AwsResponse>;

/** Calls on the account, on a bucket and on an object, by method and by the query parameter that tells which is meant. */
const ACCOUNT: Readonly<Record<string, Handler>> = { "GET ": bucketCalls.listBuckets };
const BUCKET: Readonly<Record<string, Handler>> = {
  "HEAD ": bucketCalls.headBucket,
  "GET list-type": bucketCalls.listObjects,
  "GET versions": bucketCalls.listVersions,
  "GET versioning": bucketCalls.getBucketVersioning,
  "POST delete": bucketCalls.deleteObjects,
};
const OBJECT: Readonly<Record<string, Handler>> = {
  "PUT ": (call) => ("x-amz-copy-source" in call.request.headers ? objects.copyObject(call) : objects.putObject(call)),
  "GET ": objects.getObject,
  "HEAD ": objects.getObject,
  "DELETE ": objects.deleteObject,
  "POST uploads": multipart.createUpload,
  "PUT uploadId": multipart.uploadPart,
  "GET uploadId": multipart.listParts,
  "POST uploadId": multipart.completeUpload,
  "DELETE uploadId": multipart.abortUpload,
};

/** Query parameters that refine a call instead of choosing one. */
const REFINING =
  /^(x-id|versionId|partNumber|prefix|delimiter|max-keys|max-parts|max-buckets|max-uploads|continuation-token|start-after|fetch-owner|encoding-type|key-marker|version-id-marker|X-Amz-.+)$/;

/** S3 over REST, path style. @throws AwsError; what is not known here is NotImplemented by name */
export async function answerS3(
  request: AwsRequest,
  { store, uploads, account }: { readonly store: BucketStore; readonly uploads: Uploads; readonly account: string },
): Promise<AwsResponse> {
  const [, bucket = "", ...rest] = request.path.split("/").map(decodeURIComponent);
  const key = rest.join("/");
  const [chosen = "", ...others] = [...request.query.keys()].filter((name) => !REFINING.test(name));
  const table = bucket === "" ? ACCOUNT : key === "" ? BUCKET : OBJECT;
  const handler = table[`${request.method} ${chosen}`];
  if (handler === undefined || others.length > 0) {
    const on = bucket === "" ? "the account" : key === "" ? "a bucket" : "an object";
    throw s3Errors.notImplemented(`${request.method} ${[chosen, ...others].join("&")} on ${on}`);
  }
  return handler({
    request,
    bucket,
    key,
    store,
    uploads,
    account,
    require: (action, resource, context = {}) =>
      requireAccess(request.caller, { action, resource, context }, "AccessDenied"),
  });
}
