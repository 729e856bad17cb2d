import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { BusEvent } from "../../cloud/event-bus.ts";
import { on, operation } from "../protocol/call.ts";
import type { Service } from "../protocol/request.ts";

const Instant = z.union([z.number().transform((seconds) => new Date(seconds * 1000)), z.date()]);
const PutEvents = z.strictObject({
  Entries: z
    .array(
      z.strictObject({
        Source: z.string(),
        DetailType: z.string(),
        Detail: z.string(),
        Time: Instant.optional(),
        Resources: z.array(z.string()).optional(),
        EventBusName: z.enum(["default"]).optional(),
      }),
    )
    .min(1)
    .max(10),
});

export interface EventsSettings {
  readonly account: string;
  readonly region: string;
  readonly now: () => Date;
  /** Takes an event to the bus. */
  put(event: BusEvent): void | Promise<void>;
}

/** EventBridge: events put onto the default bus. A detail that is no JSON object fails its entry alone, as the service does. */
export function eventsService({ account, region, now, put }: EventsSettings): Service {
  return {
    name: "events",
    access: (name) => [on(`events:${name}`, `arn:aws:events:${region}:${account}:event-bus/default`)],
    operations: {
      PutEvents: operation(PutEvents, async ({ Entries }) => {
        const answers = [];
        for (const entry of Entries) {
          const detail = jsonObject(entry.Detail);
          if (detail === null) {
            answers.push({ ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." });
            continue;
          }
          const id = randomUUID();
          await put({
            id,
            source: entry.Source,
            "detail-type": entry.DetailType,
            account,
            region,
            time: (entry.Time ?? now()).toISOString(),
            resources: entry.Resources ?? [],
            detail,
          });
          answers.push({ EventId: id });
        }
        return { Entries: answers, FailedEntryCount: answers.filter((answer) => "ErrorCode" in answer).length };
      }),
    },
  };
}

function jsonObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
