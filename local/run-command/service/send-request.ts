import { z } from "zod";
import { AwsError, constraintError, notModelled } from "../../endpoints/aws-error.ts";
import { checkParameters, type Documents, type StoredDocument } from "./documents.ts";
import { type ManagedNode, targetedNodes } from "./nodes.ts";
import { allowedErrorsOf, concurrencyOf, DEFAULT_MAX_CONCURRENCY, DEFAULT_MAX_ERRORS } from "./rates.ts";

const Request = z.strictObject({
  DocumentName: z.string(),
  DocumentVersion: z.string().optional(),
  InstanceIds: z.array(z.string()).optional(),
  Targets: z.array(z.object({ Key: z.string(), Values: z.array(z.string()) })).optional(),
  Parameters: z.record(z.string(), z.array(z.string())).optional(),
  Comment: z.string().optional(),
  TimeoutSeconds: z.number().optional(),
  MaxConcurrency: z.string().optional(),
  MaxErrors: z.string().optional(),
});
export type SendRequest = z.infer<typeof Request>;

/** A request that may be carried out. */
export interface Accepted {
  readonly request: SendRequest;
  readonly document: StoredDocument;
  readonly nodes: readonly ManagedNode[];
  readonly timeoutSeconds: number;
  readonly concurrency: number;
  readonly allowedErrors: number;
}

const MOST_INSTANCES = 50;
const MOST_TARGETS = 5;
const LONGEST_COMMENT = 100;
const DEFAULT_TIMEOUT_SECONDS = 3600;
const SHORTEST_TIMEOUT_SECONDS = 30;
const LONGEST_TIMEOUT_SECONDS = 2_592_000;

/**
 * Checks a SendCommand in the service's order: limits of the model first, then the document, its parameters, the nodes.
 * @throws AwsError with the service's exception; a field that is not modelled here is named
 */
export function acceptRequest(
  input: unknown,
  account: { readonly id: string; readonly documents: Documents; readonly nodes: readonly ManagedNode[] },
): Accepted {
  const request = parse(input);
  checkLimits(request);
  const document = account.documents.get(request.DocumentName);
  checkParameters(document, request.Parameters ?? {});
  const nodes = chooseNodes(request, account);
  return {
    request,
    document,
    nodes,
    timeoutSeconds: request.TimeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
    concurrency: concurrencyOf(request.MaxConcurrency ?? DEFAULT_MAX_CONCURRENCY, nodes.length),
    allowedErrors: allowedErrorsOf(request.MaxErrors ?? DEFAULT_MAX_ERRORS, nodes.length),
  };
}

function parse(input: unknown): SendRequest {
  const parsed = Request.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue?.code === "unrecognized_keys") throw notModelled(`ssm SendCommand with ${issue.keys.join(", ")}`);
  throw new AwsError("ValidationException", `${issue?.path.join(".")}: ${issue?.message}`);
}

function checkLimits({ InstanceIds = [], Targets = [], Comment = "", TimeoutSeconds }: SendRequest): void {
  if (InstanceIds.length > MOST_INSTANCES) {
    throw constraintError(
      "instanceIds",
      InstanceIds,
      `Member must have length less than or equal to ${MOST_INSTANCES}`,
    );
  }
  if (Targets.length > MOST_TARGETS) {
    const keys = Targets.map((target) => target.Key);
    throw constraintError("targets", keys, `Member must have length less than or equal to ${MOST_TARGETS}`);
  }
  const crowded = Targets.find((target) => target.Values.length > MOST_INSTANCES);
  if (crowded !== undefined) {
    throw constraintError("targets", crowded.Values, `Member must have length less than or equal to ${MOST_INSTANCES}`);
  }
  if (Comment.length > LONGEST_COMMENT) {
    throw constraintError("comment", Comment, `Member must have length less than or equal to ${LONGEST_COMMENT}`);
  }
  if (TimeoutSeconds === undefined) return;
  if (TimeoutSeconds < SHORTEST_TIMEOUT_SECONDS) {
    throw constraintError(
      "timeoutSeconds",
      TimeoutSeconds,
      `Member must have value greater than or equal to ${SHORTEST_TIMEOUT_SECONDS}`,
    );
  }
  if (TimeoutSeconds > LONGEST_TIMEOUT_SECONDS) {
    throw constraintError(
      "timeoutSeconds",
      TimeoutSeconds,
      `Member must have value less than or equal to ${LONGEST_TIMEOUT_SECONDS}`,
    );
  }
}

function chooseNodes(
  { InstanceIds = [], Targets = [] }: SendRequest,
  account: { readonly id: string; readonly nodes: readonly ManagedNode[] },
): ManagedNode[] {
  if (InstanceIds.length > 0 && Targets.length > 0) {
    throw new AwsError("ValidationException", "InstanceIds and Targets cannot be given together");
  }
  if (InstanceIds.length === 0 && Targets.length === 0) {
    throw new AwsError("InvalidInstanceId", "Neither InstanceIds nor Targets are given");
  }
  if (new Set(InstanceIds).size !== InstanceIds.length) {
    throw new AwsError("DuplicateInstanceId", "You can't specify a managed node ID in more than one association.");
  }
  if (Targets.length > 0) return targetedNodes(account.nodes, Targets).filter((node) => node.state() !== "stopped");
  const known = new Map(account.nodes.map((node) => [node.instanceId, node]));
  const unfit = InstanceIds.filter((id) => (known.get(id)?.state() ?? "stopped") === "stopped");
  if (unfit.length > 0) {
    throw new AwsError(
      "InvalidInstanceId",
      `Instances [[${unfit.join(", ")}]] not in a valid state for account ${account.id}`,
    );
  }
  return InstanceIds.flatMap((id) => known.get(id) ?? []);
}
