import { type AccessRequest, applies, type Statement, statements } from "./iam.ts";
import { resolve, type Scope } from "./intrinsics.ts";
import type { Resource } from "./template.ts";

interface Denial {
  /** ARN of the bucket whose policy it is: a policy is about its own bucket, whatever it does not name. */
  readonly bucket: string;
  readonly statement: Statement;
  /** Everything in the bucket but this; empty where the statement names what it means. */
  readonly butNot: readonly string[];
}

/**
 * What the bucket policies of a template refuse to everybody. What they allow is not looked at: identities' own policies do that here.
 * @throws Error for a refusal to some only
 */
export function readBucketPolicies(
  resources: Readonly<Record<string, Resource>>,
  scope: Scope,
): (request: AccessRequest) => boolean {
  const denials = Object.values(resources)
    .filter(({ Type }) => Type === "AWS::S3::BucketPolicy")
    .flatMap(({ Properties = {} }) => denialsOf(resolve(Properties, scope) as BucketPolicy));
  return (request) => denials.some((denial) => refuses(denial, request));
}

interface BucketPolicy {
  readonly Bucket: string;
  readonly PolicyDocument: { readonly Statement: readonly RawStatement[] };
}
interface RawStatement {
  readonly Effect: string;
  readonly Principal: unknown;
  readonly NotResource?: string | readonly string[];
}

function denialsOf({ Bucket, PolicyDocument }: BucketPolicy): Denial[] {
  return PolicyDocument.Statement.filter(({ Effect }) => Effect === "Deny").flatMap(({ NotResource, ...raw }) => {
    const everybody = raw.Principal === "*" || (raw.Principal as { AWS?: unknown }).AWS === "*";
    if (!everybody)
      throw new Error(`the policy of bucket ${Bucket}: a refusal to some is not known to the local stack`);
    const bucket = `arn:aws:s3:::${Bucket}`;
    const butNot = NotResource === undefined ? [] : [NotResource].flat();
    const meant = butNot.length > 0 ? { ...raw, Resource: [`${bucket}/*`] } : raw;
    return statements({ Statement: [meant] }).map((statement) => ({ bucket, statement, butNot }));
  });
}

function refuses({ bucket, statement, butNot }: Denial, request: AccessRequest): boolean {
  if (request.resource !== bucket && !request.resource.startsWith(`${bucket}/`)) return false;
  const excepted = butNot.length > 0 && applies({ ...statement, Resource: butNot, Condition: {} }, request);
  return !excepted && applies(statement, request);
}
