import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { handler } from "../../lambdas/handlers/front-door.ts";
import { openWire, wire } from "./run-fleet.ts";
import { WireError } from "./wire.ts";

let close: () => Promise<void>;
beforeAll(async () => {
  close = await openWire();
});
afterAll(() => close());
beforeEach(() => {
  wire.reset();
  vi.spyOn(console, "log").mockReturnValue();
});
afterEach(() => vi.restoreAllMocks());

const ORDER = { instance_ids: ["i-00000002", "i-00000003"], operation: "rollback" };
const published = () => {
  const messages: Record<string, unknown>[] = [];
  wire.calls.set("Publish", (input) => {
    messages.push(input);
    return "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
  });
  return messages;
};
const body = (answer: unknown) => JSON.parse((answer as { body: string }).body) as unknown;

test("the front door answers as the seed's Lambda does, and people are told", async () => {
  const sent: Record<string, unknown>[] = [];
  wire.calls.set("SendCommand", (input) => {
    sent.push(input);
    return { Command: { CommandId: "c-9" } };
  });
  const messages = published();

  const answer = await handler(ORDER);

  expect(answer).toMatchObject({ statusCode: 200 });
  expect(body(answer)).toEqual({ command_id: "c-9", instances: ORDER.instance_ids, operation: "rollback" });
  expect(sent).toEqual([
    {
      DocumentName: "AutoPatch-RunRollback",
      InstanceIds: ORDER.instance_ids,
      Comment: "AutoPatch rollback",
      TimeoutSeconds: 3600,
      MaxConcurrency: "50%",
      MaxErrors: "1",
    },
  ]);
  expect(messages).toMatchObject([
    {
      Subject: "AutoPatch rollback initiated",
      Message: expect.stringMatching(/^Command ID: c-9\nInstances: i-00000002, i-00000003\n/),
    },
  ]);
});

test("what the front door does not know is a 400, and nothing is sent", async () => {
  const answer = await handler({ ...ORDER, operation: "reboot-all" });

  expect(answer).toMatchObject({ statusCode: 400 });
  expect(body(answer)).toMatch(/^Unsupported operation: "reboot-all"; known: auto-update, full-update, rollback/);
  expect(wire.log).toEqual([]);
});

test("what SSM refuses is a 500 that says what, and nobody is told that something began", async () => {
  wire.calls.set("SendCommand", () => {
    throw new WireError("InvalidInstanceId");
  });

  const answer = await handler(ORDER);

  expect(answer).toMatchObject({ statusCode: 500 });
  expect(body(answer)).toEqual({
    error: { name: "InvalidInstanceId", message: expect.any(String) },
    instances: ORDER.instance_ids,
    operation: "rollback",
  });
  expect(wire.log).not.toContain("Publish");
});

test("a command that is on its way is answered for, though nobody could be told", async () => {
  wire.calls.set("SendCommand", () => ({ Command: { CommandId: "c-9" } }));
  wire.calls.set("Publish", () => {
    throw new WireError("KMSAccessDeniedException");
  });

  const answer = await handler(ORDER);

  expect(answer).toMatchObject({ statusCode: 200 });
  expect(body(answer)).toMatchObject({ command_id: "c-9", notification: expect.stringMatching(/^not sent: /) });
});
