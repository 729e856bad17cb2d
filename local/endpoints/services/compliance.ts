import { z } from "zod";
import { AwsError, constraintError } from "../aws-error.ts";
import { on, operation } from "../protocol/call.ts";
import type { AccessRequest, Service } from "../protocol/request.ts";

const Instant = z.union([z.number().transform((seconds) => new Date(seconds * 1000)), z.date()]);
const Entry = z.strictObject({
  Id: z.string().optional(),
  Title: z.string().max(500).optional(),
  Severity: z.enum(["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNSPECIFIED"]),
  Status: z.enum(["COMPLIANT", "NON_COMPLIANT"]),
  Details: z.record(z.string().min(1).max(64), z.string().max(4_096)).optional(),
});
const Put = z.strictObject({
  ResourceId: z.string().min(1).max(100),
  ResourceType: z.string().min(1).max(50),
  ComplianceType: z.string().min(1).max(100),
  ExecutionSummary: z.strictObject({
    ExecutionTime: Instant,
    ExecutionId: z.string().max(100).optional(),
    ExecutionType: z.string().max(50).optional(),
  }),
  Items: z.array(Entry).max(10_000),
  ItemContentHash: z.string().max(256).optional(),
});
type Put = z.infer<typeof Put>;
const List = z.strictObject({
  ResourceIds: z.array(z.string()).length(1).optional(),
  ResourceTypes: z.array(z.string()).length(1).optional(),
  NextToken: z.string().optional(),
});
/** Of the service, per account. */
const MOST_CUSTOM_TYPES = 10;

export interface ComplianceSettings {
  readonly account: string;
  readonly region: string;
  /** The tags of a managed instance; undefined when Systems Manager does not know it. */
  tagsOf(instanceId: string): Readonly<Record<string, string>> | undefined;
}

/** Systems Manager's compliance: each put replaces what was known of the instance under that type, unless its content hash says that nothing changed. */
export function complianceOperations({ tagsOf }: ComplianceSettings): Service["operations"] {
  const known = new Map<string, Put>();
  return {
    PutComplianceItems: operation(Put, (put) => {
      if (!/^([A-Za-z0-9_-]\w+|Custom:[a-zA-Z0-9_-]\w+)$/.test(put.ComplianceType))
        throw constraintError(
          "complianceType",
          put.ComplianceType,
          "Member must satisfy regular expression pattern: [A-Za-z0-9_\\-]\\w+|Custom:[a-zA-Z0-9_\\-]\\w+",
        );
      if (put.ResourceType !== "ManagedInstance") throw new AwsError("InvalidResourceType", "");
      if (tagsOf(put.ResourceId) === undefined) throw new AwsError("InvalidResourceId", "");
      const types = new Set([...known.values()].map(({ ComplianceType }) => ComplianceType)).add(put.ComplianceType);
      if ([...types].filter((type) => type.startsWith("Custom:")).length > MOST_CUSTOM_TYPES)
        throw new AwsError("ComplianceTypeCountLimitExceededException", "");
      const key = `${put.ResourceId} ${put.ComplianceType}`;
      const before = known.get(key)?.ItemContentHash;
      if (before === undefined || before !== put.ItemContentHash) known.set(key, put);
    }),
    ListComplianceItems: operation(List, ({ ResourceIds }) => ({
      ComplianceItems: [...known.values()]
        .filter(({ ResourceId }) => ResourceIds === undefined || ResourceIds.includes(ResourceId))
        .flatMap(({ Items, ItemContentHash: _hash, ...common }) => Items.map((item) => ({ ...common, ...item }))),
    })),
  };
}

/** The instance is the resource, and its tags are what a policy may ask about. Undefined for calls of another kind. */
export function complianceAccess(
  name: string,
  input: unknown,
  { account, region, tagsOf }: ComplianceSettings,
): readonly AccessRequest[] | undefined {
  const action = `ssm:${name}`;
  if (name === "ListComplianceItems") return [on(action, "*")];
  if (name !== "PutComplianceItems") return undefined;
  const { ResourceId } = z.object({ ResourceId: z.string() }).parse(input);
  const resource = ResourceId.startsWith("mi-")
    ? `arn:aws:ssm:${region}:${account}:managed-instance/${ResourceId}`
    : `arn:aws:ec2:${region}:${account}:instance/${ResourceId}`;
  const tags = Object.entries(tagsOf(ResourceId) ?? {});
  const context = Object.fromEntries(tags.map(([key, value]) => [`ssm:resourceTag/${key}`, value]));
  return [{ action, resource, context }];
}
