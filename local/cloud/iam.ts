import { resolve, type Scope } from "./intrinsics.ts";
import type { Resource } from "./template.ts";

/** One statement of a policy, every value a list. */
export interface Statement {
  readonly Effect: "Allow" | "Deny";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

/** What is asked: who is decided by the policies that are looked at. */
export interface AccessRequest {
  /** `s3:PutObject` */
  readonly action: string;
  /** ARN, or `*` for calls that know none. */
  readonly resource: string;
  /** Condition keys and policy variables: `aws:userid`, `ssm:resourceTag/…`. */
  readonly context: Readonly<Record<string, string>>;
}

/** The identity policies of every role of the stack, and its managed policies, evaluated as IAM does for what the stack uses. */
export interface Policies {
  /** Whether the policies of this role, by its logical id's physical name, allow the request. */
  roleAllows(roleName: string, request: AccessRequest): boolean;
  /** Whether the managed policy by this ARN allows the request. */
  managedPolicyAllows(policyArn: string, request: AccessRequest): boolean;
}

/** Reads the policies out of a template. @throws Error naming a policy element that is not known here */
export function readPolicies(resources: Readonly<Record<string, Resource>>, scope: Scope): Policies {
  const byRole = new Map<string, Statement[]>();
  const byPolicy = new Map<string, Statement[]>();
  const grant = (role: string, document: unknown) => {
    byRole.set(role, [...(byRole.get(role) ?? []), ...statements(document)]);
  };
  for (const [id, { Type, Properties }] of Object.entries(resources)) {
    if (!Type.startsWith("AWS::IAM::")) continue;
    const properties = resolve(Properties ?? {}, scope) as {
      PolicyDocument?: unknown;
      Roles?: string[];
      Policies?: { PolicyDocument: unknown }[];
    };
    const ref = scope.physical.get(id)?.ref ?? "";
    if (Type === "AWS::IAM::Role") for (const policy of properties.Policies ?? []) grant(ref, policy.PolicyDocument);
    if (Type === "AWS::IAM::ManagedPolicy") byPolicy.set(ref, statements(properties.PolicyDocument));
    if (Type !== "AWS::IAM::Role") for (const role of properties.Roles ?? []) grant(role, properties.PolicyDocument);
  }
  return {
    roleAllows: (role, request) => decide(byRole.get(role) ?? [], request),
    managedPolicyAllows: (policy, request) => decide(byPolicy.get(policy) ?? [], request),
  };
}

function decide(policies: readonly Statement[], request: AccessRequest): boolean {
  const matching = policies.filter((statement) => applies(statement, request));
  return matching.some((s) => s.Effect === "Allow") && !matching.some((s) => s.Effect === "Deny");
}

/** Whether action, resource and conditions of a statement are those of the request. */
export function applies(statement: Statement, { action, resource, context }: AccessRequest): boolean {
  const expand = (text: string) => text.replace(/\$\{([^}]+)\}/g, (whole, key: string) => context[key] ?? whole);
  return (
    statement.Action.some((pattern) => like(pattern.toLowerCase(), action.toLowerCase())) &&
    statement.Resource.some((pattern) => like(expand(pattern), resource)) &&
    Object.entries(statement.Condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, values]) => holds(operator, context[key], values.map(expand))),
    )
  );
}

function holds(operator: string, actual: string | undefined, expected: readonly string[]): boolean {
  if (actual === undefined) return false;
  switch (operator) {
    case "StringEquals":
    case "Bool":
    case "ArnEquals":
      return expected.includes(actual);
    case "StringLike":
    case "ArnLike":
      return expected.some((pattern) => like(pattern, actual));
    default:
      throw new Error(`condition operator ${operator} is not known to the local stack`);
  }
}

/** IAM's wildcards: `*` any characters, `?` one. */
function like(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(text);
}

/** The statements of a policy document. @throws Error naming a policy element that is not known here */
export function statements(document: unknown): Statement[] {
  const { Statement } = document as { Statement: Record<string, unknown>[] };
  return Statement.map((raw) => {
    for (const key of ["NotAction", "NotResource"]) {
      if (key in raw) throw new Error(`policy element ${key} is not known to the local stack`);
    }
    const condition = Object.entries((raw.Condition ?? {}) as Record<string, Record<string, unknown>>);
    return {
      Effect: raw.Effect as "Allow" | "Deny",
      Action: list(raw.Action),
      Resource: list(raw.Resource),
      Condition: Object.fromEntries(
        condition.map(([operator, keys]) => [
          operator,
          Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, list(value)])),
        ]),
      ),
    };
  });
}

function list(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).map(String);
}
