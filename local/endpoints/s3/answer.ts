import { type FaultPort, raiseFault } from "../fault.ts";
import { requireAccess } from "../protocol/call.ts";
import type { AwsRequest, AwsResponse } from "../protocol/request.ts";
import * as bucketCalls from "./bucket-calls.ts";
import type { S3Call } from "./call.ts";
import { s3Errors } from "./errors.ts";
import type { Uploads } from "./multipart.ts";
import * as multipart from "./multipart-calls.ts";
import * as objects from "./object-calls.ts";
import type { BucketStore, ObjectVersion } from "./store.ts";

type Handler = (call: S3Call) => AwsResponse | Promise<AwsResponse>;

/** Calls on the account, on a bucket and on an object, by method and by the query parameter that tells which is meant. */
type Calls = Readonly<Record<string, { readonly operation: string; readonly handler: Handler }>>;
const is = (operation: string, handler: Handler) => ({ operation, handler });
const ACCOUNT: Calls = { "GET ": is("ListBuckets", bucketCalls.listBuckets) };
const BUCKET: Calls = {
  "HEAD ": is("HeadBucket", bucketCalls.headBucket),
  "GET list-type": is("ListObjectsV2", bucketCalls.listObjects),
  "GET location": is("GetBucketLocation", bucketCalls.getBucketLocation),
  "GET versions": is("ListObjectVersions", bucketCalls.listVersions),
  "GET versioning": is("GetBucketVersioning", bucketCalls.getBucketVersioning),
  "POST delete": is("DeleteObjects", bucketCalls.deleteObjects),
};
const OBJECT: Calls = {
  "PUT ": is("PutObject", objects.putObject),
  "PUT copy": is("CopyObject", objects.copyObject),
  "GET ": is("GetObject", objects.getObject),
  "HEAD ": is("HeadObject", objects.getObject),
  "DELETE ": is("DeleteObject", objects.deleteObject),
  "POST uploads": is("CreateMultipartUpload", multipart.createUpload),
  "PUT uploadId": is("UploadPart", multipart.uploadPart),
  "GET uploadId": is("ListParts", multipart.listParts),
  "POST uploadId": is("CompleteMultipartUpload", multipart.completeUpload),
  "DELETE uploadId": is("AbortMultipartUpload", multipart.abortUpload),
};

export interface S3Settings {
  readonly store: BucketStore;
  readonly uploads: Uploads;
  readonly account: string;
  readonly region: string;
  readonly fault?: FaultPort | undefined;
  /** Told of each object that was put. @default nobody is */
  readonly created?: ((bucket: string, version: ObjectVersion) => void) | undefined;
}

/** Query parameters that refine a call instead of choosing one. */
const REFINING =
  /^(x-id|versionId|partNumber|prefix|delimiter|max-keys|max-parts|max-buckets|max-uploads|continuation-token|start-after|fetch-owner|encoding-type|key-marker|version-id-marker|X-Amz-.+)$/;

/** S3 over REST, path style. @throws AwsError; what is not known here is NotImplemented by name */
export async function answerS3(
  request: AwsRequest,
  { store, uploads, account, region, fault, created = () => {} }: S3Settings,
): Promise<AwsResponse> {
  const [, bucket = "", ...rest] = request.path.split("/").map(decodeURIComponent);
  const key = rest.join("/");
  const [chosen = "", ...others] = [...request.query.keys()].filter((name) => !REFINING.test(name));
  const table = bucket === "" ? ACCOUNT : key === "" ? BUCKET : OBJECT;
  // A copy is told from a put, and from the upload of a part, by a header alone.
  const copies = "x-amz-copy-source" in request.headers ? "copy" : "";
  const called = table[`${request.method} ${chosen}${copies}`];
  if (called === undefined || others.length > 0) {
    const on = bucket === "" ? "the account" : key === "" ? "a bucket" : "an object";
    throw s3Errors.notImplemented(
      `${request.method} ${[chosen, ...others, ...(copies === "" ? [] : [copies])].join("&")} on ${on}`,
    );
  }
  raiseFault(fault, request.caller, "s3", called.operation);
  return called.handler({
    request,
    bucket,
    key,
    store,
    uploads,
    account,
    region,
    created,
    require: (action, resource, context = {}) =>
      requireAccess(request.caller, { action, resource, context }, "AccessDenied"),
  });
}
