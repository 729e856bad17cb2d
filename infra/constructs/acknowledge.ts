import { type CfnElement, Stack, Validations } from "aws-cdk-lib";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { IConstruct } from "constructs";

/** Exceptions from cdk-nag's rule against wildcards, finding by finding: a new wildcard is refused until somebody argues for it. */
const WILDCARD = "AwsSolutions-IAM5";

/** Wildcards that stand behind a prefix of the bucket, where the names of objects are. */
export function acknowledgeObjects(construct: IConstruct, bucket: IBucket, prefixes: readonly string[]): void {
  Validations.of(construct).acknowledge(
    ...prefixes.map((prefix) => ({
      id: `${WILDCARD}[Resource::<${logicalIdOf(bucket)}.Arn>/${prefix}]`,
      reason: `Objects are made at run time; the prefix ${prefix} is as far as their names are known.`,
    })),
  );
}

/** `*` for calls for which IAM knows no resource. */
export function acknowledgeAnyResource(construct: IConstruct, reason: string): void {
  Validations.of(construct).acknowledge({ id: `${WILDCARD}[Resource::*]`, reason });
}

/** Any other wildcard, as cdk-nag writes it. */
export function acknowledgeWildcard(construct: IConstruct, resource: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: `${WILDCARD}[Resource::${resource}]`, reason });
}

/** As cdk-nag writes the logical id of a construct's own resource. */
export function logicalIdOf(construct: IConstruct): string {
  return Stack.of(construct).getLogicalId(construct.node.defaultChild as CfnElement);
}
