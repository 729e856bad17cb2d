import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { encodeResult } from "../../contract/frame.ts";
import { KEYS, REQUEST_PARAMETER } from "../../contract/names.ts";
import { decodeRequest } from "../../contract/request.ts";
import { said } from "./results.ts";
import { openWire, wire } from "./run-fleet.ts";
import { SNAPSHOT, TERMS } from "./snapshot.ts";
import { WireError } from "./wire.ts";

let close: () => Promise<void>;
beforeAll(async () => {
  close = await openWire();
});
afterAll(() => close());
beforeEach(() => {
  wire.reset();
  wire.objects.set(KEYS.snapshot("run-1"), JSON.stringify(SNAPSHOT));
  wire.objects.set(KEYS.terms("run-1"), JSON.stringify(TERMS));
  vi.spyOn(console, "log").mockReturnValue();
});
afterEach(() => vi.restoreAllMocks());

const handler = async (name: string) =>
  ((await import(`../../lambdas/handlers/${name}.ts`)) as { handler(event: unknown): Promise<unknown> }).handler;
const logged = () => vi.mocked(console.log).mock.calls.map(([line]) => JSON.parse(String(line)) as unknown);

const ITEM = { runId: "run-1", wave: 1, batch: 0, instanceIds: ["i-00000002", "i-00000003"] };
const DISPATCH = {
  item: ITEM,
  command: "commit",
  attempt: 1,
  taskToken: "token",
  instanceIds: ITEM.instanceIds,
  toRollBack: ["i-00000004"],
};
const SENT_KEY = KEYS.sentCommand("run-1", 1, 0, "commit", 1);
const SENT = {
  item: ITEM,
  command: "commit",
  attempt: 1,
  commandId: "c-1",
  deadline: "2100-01-01T00:00:00.000Z",
  instanceIds: ITEM.instanceIds,
  undeliverable: [],
  toRollBack: ["i-00000004"],
  dryRun: false,
};
const invocation = (id: string, Output: string, StatusDetails = "Success") => ({
  InstanceId: id,
  Status: StatusDetails,
  StatusDetails,
  CommandPlugins: [
    { Name: "commit", Status: StatusDetails, ResponseCode: 0, ResponseStartDateTime: 1_767_322_800, Output },
  ],
});
const line = (id: string) => encodeResult(said("commit", "ok", { instanceId: id }));
/** Both hosts have answered. */
const ended = () =>
  wire.calls.set("ListCommandInvocations", () => ({
    CommandInvocations: ITEM.instanceIds.map((id) => invocation(id, `${line(id)}\n`)),
  }));
const answered = () => {
  const answers: { taskToken: unknown; output: unknown }[] = [];
  wire.calls.set("SendTaskSuccess", ({ taskToken, output }) => {
    answers.push({ taskToken, output: JSON.parse(String(output)) });
  });
  return answers;
};
const PROCEED = {
  verdict: "proceed",
  instanceIds: ITEM.instanceIds,
  toRollBack: ["i-00000004"],
  waiting: [],
  lost: [],
};
/** The token as it is parked. */
const parkedAs = (taskToken: string) => ({
  taskToken,
  sent: SENT_KEY,
  instanceIds: ITEM.instanceIds,
  toRollBack: ["i-00000004"],
});

test("a message that does not fit is refused by name, before anything is called", async () => {
  const plan = await handler("plan");

  await expect(plan({ executionName: "run-2", request: { dryrun: true } })).rejects.toThrow(
    /^the message does not fit the contract: .*Unrecognized key: "dryrun"/s,
  );
  expect(wire.log).toEqual([]);
});

test("a function without its environment says which variable is missing", async () => {
  const plan = await handler("plan");
  const { AUTOPATCH_BUCKET, ...rest } = process.env;
  process.env = rest;
  try {
    await expect(plan({ executionName: "run-2", request: {} })).rejects.toThrow(/AUTOPATCH_BUCKET[\s\S]*deploy again/);
  } finally {
    process.env = { ...rest, AUTOPATCH_BUCKET };
  }
});

test("planning again gives what was planned first, though the fleet has changed", async () => {
  const plan = await handler("plan");
  wire.calls.set("DescribeInstanceInformation", () => ({ InstanceInformationList: [] }));

  const answer = await plan({ executionName: "run-1", request: {} });

  const keys = (wave: number) => ({
    prepare: `runs/run-1/waves/${wave}/prepare.json`,
    apply: `runs/run-1/waves/${wave}/apply.json`,
    check: `runs/run-1/waves/${wave}/check.json`,
    rollback: `runs/run-1/waves/${wave}/rollback.json`,
  });
  expect(answer).toEqual({
    runId: "run-1",
    dryRun: false,
    waves: 2,
    items: [keys(0), keys(1)],
    bakeSeconds: 60,
    bucket: "bucket",
  });
  expect(wire.json(keys(1).prepare)).toEqual([{ ...ITEM, instanceIds: SNAPSHOT.waves[1]?.batches[0] }]);
  expect(wire.json(KEYS.snapshot("run-1"))).toEqual(SNAPSHOT);
  expect(wire.json(KEYS.terms("run-1"))).toEqual(TERMS);
});

test("an execution's name that cannot be a run's id is refused with the way out", async () => {
  const plan = await handler("plan");
  wire.calls.set("DescribeInstanceInformation", () => ({ InstanceInformationList: [] }));

  await expect(plan({ executionName: "nightly_run", request: {} })).rejects.toThrow(
    "nightly_run cannot be a run's id: letters, digits and '-', at most 60; start the execution under another name, or give runId in its input",
  );
});

test("hosts are found over all pages", async () => {
  const plan = await handler("plan");
  const page = (n: number) => ({
    InstanceId: `i-0000000${n}`,
    ComputerName: `web-${n}`,
    PlatformType: "Linux",
    PingStatus: "Online",
    LastPingDateTime: 1_767_322_800,
  });
  wire.calls.set("DescribeInstanceInformation", ({ NextToken, Filters }) => {
    expect(Filters).toEqual([{ Key: "tag:AutoPatchEnabled", Values: ["true"] }]);
    return NextToken === undefined
      ? { InstanceInformationList: [page(2)], NextToken: "more" }
      : { InstanceInformationList: [page(1)] };
  });
  wire.calls.set("DescribeAutoScalingInstances", () => {
    return "<DescribeAutoScalingInstancesResponse><DescribeAutoScalingInstancesResult><AutoScalingInstances/></DescribeAutoScalingInstancesResult></DescribeAutoScalingInstancesResponse>";
  });

  await plan({ executionName: "run-2", request: { waves: { canary: 2 } } });

  expect(wire.json("runs/run-2/waves/0/prepare.json")).toEqual([
    { runId: "run-2", wave: 0, batch: 0, instanceIds: ["i-00000001", "i-00000002"] },
  ]);
});

test("one host that SSM refuses does not keep the command from the others", async () => {
  const dispatch = await handler("dispatch");
  const asked: unknown[] = [];
  wire.calls.set("SendCommand", (input) => {
    asked.push(input.InstanceIds);
    if ((input.InstanceIds as string[]).includes("i-00000003")) throw new WireError("InvalidInstanceId");
    const [text = ""] = (input.Parameters as Record<string, string[]>)[REQUEST_PARAMETER] ?? [];
    const steps = ["commit"];
    expect(decodeRequest(text)).toMatchObject({ runId: "run-1", steps, dryRun: false, policy: SNAPSHOT.policy });
    return { Command: { CommandId: "c-1" } };
  });
  wire.calls.set("DescribeInstanceInformation", () => ({
    InstanceInformationList: [
      { InstanceId: "i-00000002", PingStatus: "Online" },
      { InstanceId: "i-00000003", PingStatus: "ConnectionLost" },
    ],
  }));

  await dispatch(DISPATCH);

  expect(wire.json(SENT_KEY)).toEqual({
    ...SENT,
    sentAt: expect.any(String),
    deadline: expect.any(String),
    undeliverable: ["i-00000003"],
    refusals: { "i-00000003": "undeliverable" },
  });
  expect(wire.json(KEYS.token("c-1"))).toEqual(parkedAs("token"));
  expect(asked).toEqual([ITEM.instanceIds, ["i-00000002"]]);
});

test("when no host is left, nothing is sent, nobody waits, and all are undeliverable", async () => {
  wire.calls.set("SendCommand", () => {
    throw new WireError("InvalidInstanceId");
  });
  wire.calls.set("DescribeInstanceInformation", () => ({ InstanceInformationList: [] }));
  const answers = answered();

  await (await handler("dispatch"))(DISPATCH);

  const toRollBack = ["i-00000004", ...ITEM.instanceIds];
  expect(answers).toEqual([
    { taskToken: "token", output: { verdict: "nobodyLeft", instanceIds: [], toRollBack, waiting: [], lost: [] } },
  ]);
  expect(wire.json(SENT_KEY)).toMatchObject({
    commandId: null,
    undeliverable: ITEM.instanceIds,
    refusals: { "i-00000002": "hostGone", "i-00000003": "hostGone" },
  });
});

test("a refusal that no host explains is passed on", async () => {
  wire.calls.set("SendCommand", () => {
    throw new WireError("AccessDeniedException");
  });
  wire.calls.set("DescribeInstanceInformation", () => ({
    InstanceInformationList: ITEM.instanceIds.map((InstanceId) => ({ InstanceId, PingStatus: "Online" })),
  }));
  const dispatch = await handler("dispatch");

  await expect(dispatch(DISPATCH)).rejects.toMatchObject({ name: "AccessDeniedException" });
  expect(wire.json(SENT_KEY)).toMatchObject({ commandId: null, undeliverable: [], sending: "refused" });
});

test.each<[string, readonly WireError[], string]>([
  ["refused", [new WireError("ThrottlingException")], "refused"],
  ["without an answer", [new WireError("InternalServerError", 500)], "underWay"],
  [
    "without an answer, then refused",
    [new WireError("InternalServerError", 500), new WireError("ThrottlingException")],
    "underWay",
  ],
])("a command is noted before it is sent; %s, that is noted too", async (_name, errors, sending) => {
  const notes: unknown[] = [];
  let sends = 0;
  wire.calls.set("SendCommand", () => {
    notes.push(wire.json(SENT_KEY));
    throw errors[Math.min(sends++, errors.length - 1)];
  });
  const dispatch = await handler("dispatch");

  await expect(dispatch(DISPATCH)).rejects.toThrow();

  expect(notes[0]).toMatchObject({ commandId: null, instanceIds: ITEM.instanceIds, sending: "underWay" });
  expect(wire.json(SENT_KEY)).toMatchObject({ sending });
});

test("a try that was left open is made again, and stays open when SSM then refuses it", async () => {
  wire.objects.set(SENT_KEY, JSON.stringify({ ...SENT, commandId: null, sending: "underWay" }));
  const dispatch = await handler("dispatch");
  wire.calls.set("SendCommand", () => {
    throw new WireError("AccessDeniedException");
  });
  wire.calls.set("DescribeInstanceInformation", () => ({
    InstanceInformationList: ITEM.instanceIds.map((InstanceId) => ({ InstanceId, PingStatus: "Online" })),
  }));
  await expect(dispatch(DISPATCH)).rejects.toThrow();
  const refused = wire.json(SENT_KEY);
  wire.calls.set("SendCommand", () => ({ Command: { CommandId: "c-1" } }));
  await dispatch(DISPATCH);

  expect(refused).toMatchObject({ sending: "underWay" });
  expect(wire.json(SENT_KEY)).toMatchObject({ commandId: "c-1" });
  expect(wire.json(SENT_KEY)).not.toHaveProperty("sending");
});

test("called again after its answer was lost, it sends nothing a second time and waits with the new token", async () => {
  wire.objects.set(SENT_KEY, JSON.stringify(SENT));
  wire.calls.set("ListCommandInvocations", () => ({
    CommandInvocations: [invocation("i-00000002", line("i-00000002")), invocation("i-00000003", "", "InProgress")],
  }));

  await (await handler("dispatch"))({ ...DISPATCH, taskToken: "another" });

  expect(wire.json(KEYS.token("c-1"))).toEqual(parkedAs("another"));
  expect(wire.log).not.toContain("SendCommand");
  expect(wire.log).not.toContain("SendTaskSuccess");
});

test("called again after the command has ended, it answers for the event that nobody heard", async () => {
  wire.objects.set(SENT_KEY, JSON.stringify(SENT));
  ended();
  const answers = answered();

  await (await handler("dispatch"))({ ...DISPATCH, taskToken: "another" });

  expect(answers).toEqual([{ taskToken: "another", output: PROCEED }]);
});

const parked = () => {
  wire.objects.set(SENT_KEY, JSON.stringify(SENT));
  wire.objects.set(KEYS.token("c-1"), JSON.stringify(parkedAs("token")));
};

test.each([
  ["nobody has parked a token", false, undefined, "nobody waits yet"],
  ["it tells the batch", true, undefined, "told"],
  ["the wait is over", true, "TaskTimedOut", "nobody waits any more"],
  ["the token was used", true, "InvalidToken", "nobody waits any more"],
  ["the execution is gone", true, "TaskDoesNotExist", "nobody waits any more"],
])("an event when %s", async (_when, isParked, refusal, message) => {
  if (isParked) parked();
  ended();
  wire.calls.set("SendTaskSuccess", () => {
    if (refusal !== undefined) throw new WireError(refusal);
  });

  const answer = await (await handler("on-event"))({
    detail: { "command-id": "c-1", status: "Success", "document-name": "AutoPatch-Commit" },
  });

  expect(answer).toBeNull();
  expect(logged()).toEqual([{ commandId: "c-1", status: "Success", message }]);
});

test("an event that comes before its results can be seen wakes nobody", async () => {
  parked();
  wire.calls.set("ListCommandInvocations", () => ({
    CommandInvocations: [invocation("i-00000002", line("i-00000002")), invocation("i-00000003", "", "InProgress")],
  }));

  await (await handler("on-event"))({ detail: { "command-id": "c-1", status: "Success" } });

  expect(logged()).toEqual([{ commandId: "c-1", status: "Success", message: "not every result is there yet" }]);
  expect(wire.log).not.toContain("SendTaskSuccess");
});

test("an event that cannot be handled fails, so that it is delivered again", async () => {
  parked();
  ended();
  wire.calls.set("SendTaskSuccess", () => {
    throw new WireError("KmsAccessDeniedException");
  });
  const onEvent = await handler("on-event");

  await expect(onEvent({ detail: { "command-id": "c-1", status: "Success" } })).rejects.toMatchObject({
    name: "KmsAccessDeniedException",
  });
});

test("results are read over all pages; a cut line is read again in full", async () => {
  parked();
  const cut = line("i-00000003").slice(0, 100);
  wire.calls.set("ListCommandInvocations", ({ NextToken }) =>
    NextToken === undefined
      ? {
          CommandInvocations: [invocation("i-00000002", `${line("i-00000002")}\n----------ERROR-------\nwarnings\n`)],
          NextToken: "more",
        }
      : { CommandInvocations: [invocation("i-00000003", cut)] },
  );
  wire.calls.set("GetCommandInvocation", ({ InstanceId, PluginName }) => ({
    StandardOutputContent: PluginName === "commit" ? `${line(String(InstanceId))}\n` : "",
  }));
  const answers = answered();

  await (await handler("on-event"))({ detail: { "command-id": "c-1", status: "Success" } });

  expect(answers).toEqual([{ taskToken: "token", output: PROCEED }]);
  expect(wire.json(KEYS.commandResults("run-1", 1, 0, "commit", 1))).toEqual({
    command: "commit",
    attempt: 1,
    commandId: "c-1",
    results: ITEM.instanceIds.map((instanceId) => ({ instanceId, steps: [said("commit", "ok", { instanceId })] })),
  });
  expect(wire.log.filter((call) => call === "GetCommandInvocation")).toHaveLength(1);
});

test("a run that was never planned cannot be assessed, and the message says so", async () => {
  const assess = await handler("assess");

  await expect(assess({ runId: "run-9", wave: 0, phase: "prepare" })).rejects.toThrow(
    "run run-9: it was never planned: there is no runs/run-9/snapshot.json",
  );
});
