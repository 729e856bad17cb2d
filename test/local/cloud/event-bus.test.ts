import { expect, test } from "vitest";
import { type BusEvent, EventBus, matches } from "../../../local/cloud/event-bus.ts";

const event: BusEvent = {
  id: "1",
  source: "aws.ssm",
  "detail-type": "EC2 Command Status-change Notification",
  account: "123456789012",
  region: "eu-west-1",
  time: "2026-11-24T02:00:00Z",
  resources: [],
  detail: { "command-id": "c-1", status: "Success", "document-name": "AutoPatch-Install" },
};

test.each([
  [{ source: ["aws.ssm"], detail: { status: ["Success", "Failed"] } }, true],
  [{ source: ["aws.ec2"] }, false],
  [{ detail: { "document-name": [{ prefix: "AutoPatch-" }] } }, true],
  [{ detail: { "document-name": [{ prefix: "Other-" }] } }, false],
  [{ detail: { status: [{ "anything-but": ["InProgress"] }] } }, true],
  [{ detail: { missing: [{ exists: false }] } }, true],
  [{ detail: { missing: ["x"] } }, false],
])("pattern %j matches: %s", (pattern, expected) => {
  expect(matches(pattern, event)).toBe(expected);
});

test("an operator that is not known is refused by name", () => {
  expect(() => matches({ detail: { status: [{ wildcard: "S*" }] } }, event)).toThrow("operator wildcard is not known");
});

test("a failing target is tried again with back-off, then the event lies in its dead-letter queue with the reason", async () => {
  const tries: string[] = [];
  const pauses: number[] = [];
  const dead: unknown[] = [];
  const bus = new EventBus(
    [
      {
        name: "r",
        pattern: { source: ["aws.ssm"] },
        targets: [
          { arn: "bad", deadLetterArn: "dlq", maximumRetryAttempts: 2 },
          { arn: "good", deadLetterArn: null, maximumRetryAttempts: 2 },
        ],
      },
    ],
    {
      deliver: async (arn) => {
        tries.push(arn);
        return arn === "good" ? { ok: true, why: "" } : { ok: false, why: "boom" };
      },
      deadLetter: (queue, lost, why) => dead.push([queue, lost.id, why]),
      sleep: async (ms) => void pauses.push(ms),
    },
  );
  await bus.put(event);
  expect(tries.filter((arn) => arn === "good")).toHaveLength(1);
  expect(tries.filter((arn) => arn === "bad")).toHaveLength(3);
  expect(pauses).toEqual([1000, 2000]);
  expect(dead).toEqual([["dlq", "1", "boom"]]);
});
