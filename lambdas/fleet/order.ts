import { nearest } from "../../contract/nearest.ts";
import { MOST_ORDERED, OPERATIONS, Order, type OrderAnswer } from "../../contract/operations.ts";
import type { Notice } from "./notice.ts";

/** The order in an event of the seed's form, or in one sentence what is wrong with it. Pure. */
export function readOrder(event: unknown): { readonly order: Order } | { readonly wrong: string } {
  if (typeof event !== "object" || event === null || Array.isArray(event))
    return { wrong: 'The event is no object: send {"instance_ids": ["i-…"], "operation": "auto-update"}' };
  const { instance_ids: ids = [], operation = "auto-update" } = event as Record<string, unknown>;
  if (typeof operation !== "string" || !Object.hasOwn(OPERATIONS, operation)) {
    const known = Object.keys(OPERATIONS);
    const way = typeof operation === "string" ? nearest(operation, known) : `known: ${known.join(", ")}`;
    return { wrong: `Unsupported operation: ${text(operation)}; ${way}` };
  }
  if (!Array.isArray(ids)) return { wrong: `instance_ids is ${text(ids)}: give a list of instance ids` };
  if (ids.length === 0) return { wrong: "instance_ids is empty: nothing is sent to nobody; name the instances" };
  const distinct = [...new Set(ids)];
  if (distinct.length > MOST_ORDERED)
    return {
      wrong: `instance_ids has ${distinct.length} ids, SSM takes ${MOST_ORDERED} in one command: ask several times, or start PatchFleet`,
    };
  const bad = distinct.find((id) => !Order.shape.instance_ids.element.safeParse(id).success);
  if (bad !== undefined) return { wrong: `instance_ids holds ${text(bad)}, which is no EC2 or managed instance id` };
  return { order: Order.parse({ instance_ids: distinct, operation }) };
}

/** An answer in the seed's form. Pure. */
export function answer(statusCode: OrderAnswer["statusCode"], body: unknown): OrderAnswer {
  return { statusCode, body: JSON.stringify(body) };
}

/** What people are told of an order, in the seed's words. Pure. */
export function orderNotice({ operation, instance_ids }: Order, commandId: string): Notice {
  return {
    subject: `AutoPatch ${operation} initiated`,
    body: [
      `Command ID: ${commandId}`,
      `Instances: ${instance_ids.join(", ")}`,
      "",
      `How it goes: aws ssm list-command-invocations --command-id ${commandId} --details`,
    ].join("\n"),
  };
}

function text(value: unknown): string {
  const json = JSON.stringify(value) ?? "missing";
  return json.length > 100 ? `${json.slice(0, 100)}…` : json;
}
