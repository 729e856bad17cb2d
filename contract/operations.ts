import * as z from "zod";
import { InstanceId } from "./envelope.ts";

/** What the front door has hosts do, as the host's own programs are called; the first three are the seed's. Each is a document without a parameter. */
export const OPERATIONS = {
  "auto-update": ["autopatch-manager.sh", "auto-update", "--install", "--backup"],
  "full-update": ["autopatch-manager.sh", "full-update", "--backup"],
  rollback: ["rollback.sh", "--restore-system", "latest"],
  "show-status": ["autopatch-manager.sh", "show-status", "--format=json"],
  "verify-system": ["rollback.sh", "--verify-system"],
  "audit-report": ["rollback.sh", "--audit-report", "--format=json"],
  "restore-test": ["rollback.sh", "--restore-test", "--latest-backup"],
  "upload-backups": ["rollback.sh", "--upload-backups"],
  "publish-metrics": ["autopatch-manager.sh", "publish-metrics"],
} as const satisfies Record<string, readonly [string, ...string[]]>;
export const OrderedOperation = z.enum(
  Object.keys(OPERATIONS) as [keyof typeof OPERATIONS, ...(keyof typeof OPERATIONS)[]],
);
export type OrderedOperation = z.infer<typeof OrderedOperation>;

/** Seconds an operation may run on a host, and within which a host must take it up: the seed's. */
export const OPERATION_SECONDS = 3_600;

/** The SSM document of each operation. */
export function operationDocument(operation: OrderedOperation): string {
  const words = operation.split("-").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
  return `AutoPatch-Run${words.join("")}`;
}

/** What one SendCommand addresses. */
export const MOST_ORDERED = 50;

/** The seed's event. */
export const Order = z.object({
  instance_ids: z.array(InstanceId).min(1).max(MOST_ORDERED),
  operation: OrderedOperation,
});
export type Order = z.infer<typeof Order>;

/** The seed's answer, as API Gateway takes it; `body` is JSON. */
export const OrderAnswer = z.object({
  statusCode: z.union([z.literal(200), z.literal(400), z.literal(500)]),
  body: z.string(),
});
export type OrderAnswer = z.infer<typeof OrderAnswer>;
