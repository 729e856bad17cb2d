import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneAsHost } from "./agent-host.ts";
import { ACCOUNT, ended, fastClock, nodeOn, REGION, runCommandOver, START, type TestNode } from "./fleet.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});
afterAll(() => host.close());

const fleet = (size: number): TestNode[] => Array.from({ length: size }, (_, index) => nodeOn(host, index + 1));
const ids = (nodes: readonly TestNode[]) => nodes.map((node) => node.instanceId);
const shell = (nodes: readonly TestNode[], ...commands: string[]) => ({
  DocumentName: "Test-Shell",
  InstanceIds: ids(nodes),
  Parameters: { commands },
});
const detailsOf = (service: ReturnType<typeof runCommandOver>["service"], commandId: string) =>
  service.listCommandInvocations({ CommandId: commandId }).CommandInvocations.map((one) => one.StatusDetails);

describe("a command that succeeds", () => {
  test("is answered at once, then listed with its invocation, its output and its events", async () => {
    const nodes = fleet(1);
    const { service, events } = runCommandOver(nodes, { clock: { ...fastClock(1), now: () => START } });

    const sent = service.sendCommand({
      ...shell(nodes, "echo out; echo err >&2"),
      Comment: "hello",
      TimeoutSeconds: 60,
    });
    const done = await ended(service, sent.Command.CommandId);

    const CommandId = "00000000-0000-4000-8000-000000000001";
    const common = { CommandId, DocumentName: "Test-Shell", DocumentVersion: "$DEFAULT", Comment: "hello" };
    const noLogs = { CloudWatchLogGroupName: "", CloudWatchOutputEnabled: false };
    const noNotification = { NotificationArn: "", NotificationEvents: [], NotificationType: "" };
    const command = {
      ...common,
      ExpiresAfter: new Date("2026-11-24T03:02:00.000Z"),
      Parameters: { commands: ["echo out; echo err >&2"] },
      InstanceIds: ids(nodes),
      Targets: [],
      RequestedDateTime: START,
      OutputS3Region: "",
      OutputS3BucketName: "",
      OutputS3KeyPrefix: "",
      MaxConcurrency: "50",
      MaxErrors: "0",
      TargetCount: 1,
      ErrorCount: 0,
      DeliveryTimedOutCount: 0,
      ServiceRole: "",
      NotificationConfig: noNotification,
      CloudWatchOutputConfig: noLogs,
      TimeoutSeconds: 60,
    };
    expect(sent.Command).toEqual({ ...command, CompletedCount: 0, Status: "Pending", StatusDetails: "Pending" });
    expect(done).toEqual({ ...command, CompletedCount: 1, Status: "Success", StatusDetails: "Success" });
    expect(service.listCommandInvocations({ CommandId, Details: true })).toEqual({
      CommandInvocations: [
        {
          ...common,
          InstanceId: "i-00000000000000001",
          InstanceName: "host-1",
          RequestedDateTime: START,
          Status: "Success",
          StatusDetails: "Success",
          TraceOutput: "",
          StandardOutputUrl: "",
          StandardErrorUrl: "",
          CommandPlugins: [
            {
              Name: "run",
              Status: "Success",
              StatusDetails: "Success",
              ResponseCode: 0,
              ResponseStartDateTime: START,
              ResponseFinishDateTime: START,
              Output: "out\n\n----------ERROR-------\nerr\n",
              StandardOutputUrl: "",
              StandardErrorUrl: "",
              OutputS3Region: "",
              OutputS3BucketName: "",
              OutputS3KeyPrefix: "",
            },
          ],
          ServiceRole: "",
          NotificationConfig: noNotification,
          CloudWatchOutputConfig: noLogs,
        },
      ],
    });
    expect(service.getCommandInvocation({ CommandId, InstanceId: "i-00000000000000001" })).toEqual({
      ...common,
      InstanceId: "i-00000000000000001",
      PluginName: "run",
      ResponseCode: 0,
      ExecutionStartDateTime: "2026-11-24T03:00:00.000Z",
      ExecutionElapsedTime: "PT0S",
      ExecutionEndDateTime: "2026-11-24T03:00:00.000Z",
      Status: "Success",
      StatusDetails: "Success",
      StandardOutputContent: "out\n",
      StandardOutputUrl: "",
      StandardErrorContent: "err\n",
      StandardErrorUrl: "",
      CloudWatchOutputConfig: noLogs,
    });
    const envelope = {
      version: "0",
      source: "aws.ssm",
      account: ACCOUNT,
      time: "2026-11-24T03:00:00Z",
      region: REGION,
      resources: [`arn:aws:ec2:${REGION}:${ACCOUNT}:instance/i-00000000000000001`],
    };
    const requested = {
      "command-id": CommandId,
      "document-name": "Test-Shell",
      "requested-date-time": "2026-11-24T03:00:00.000Z",
    };
    const ofCommand = (status: string) => ({
      ...envelope,
      "detail-type": "EC2 Command Status-change Notification",
      detail: {
        ...requested,
        "expire-after": "2026-11-24T03:02:00.000Z",
        parameters: { commands: ["echo out; echo err >&2"] },
        status,
      },
    });
    const ofInvocation = (status: string) => ({
      ...envelope,
      "detail-type": "EC2 Command Invocation Status-change Notification",
      detail: { ...requested, "instance-id": "i-00000000000000001", status },
    });
    expect(events.map(({ id: _id, ...event }) => event)).toEqual([
      ofCommand("InProgress"),
      ofInvocation("InProgress"),
      ofInvocation("Success"),
      ofCommand("Success"),
    ]);
    expect(new Set(events.map((event) => event.id)).size).toBe(4);
  });

  test("with two steps wants the step's name, and shows 2,500 bytes of each", async () => {
    const nodes = fleet(1);
    const { service } = runCommandOver(nodes);
    const { Command } = service.sendCommand({ DocumentName: "Test-TwoSteps", InstanceIds: ids(nodes) });
    await ended(service, Command.CommandId);
    const at = { CommandId: Command.CommandId, InstanceId: "i-00000000000000001" };
    const [invocation] = service.listCommandInvocations({
      CommandId: Command.CommandId,
      Details: true,
    }).CommandInvocations;
    expect(() => service.getCommandInvocation(at)).toThrow(expect.objectContaining({ code: "InvalidPluginName" }));
    expect(service.getCommandInvocation({ ...at, PluginName: "second" }).StandardOutputContent).toBe("x".repeat(3000));
    expect(invocation?.CommandPlugins.map((plugin) => plugin.Output)).toEqual([
      "one\n\n----------ERROR-------\noops\n",
      `${"x".repeat(2500 - 23)}\n---Output truncated---`,
    ]);
  });
});

describe("what SendCommand refuses", () => {
  const nodes = () => fleet(2);
  test.each([
    ["InvalidDocument", { DocumentName: "No-Such" }, "Document with name No-Such does not exist."],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], timeoutSeconds: ["9"] } },
      "Test-Shell: there is no parameter timeoutSeconds",
    ],
    ["InvalidParameters", { Parameters: {} }, "Test-Shell: parameter commands is missing and has no default"],
    [
      "InvalidParameters",
      { Parameters: { commands: [] } },
      "Test-Shell: parameter commands has 0 values, allowed are 1 to Infinity",
    ],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], mode: ["A"] } },
      "Test-Shell: parameter mode does not match the allowed pattern ^[a-z]+$",
    ],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], mode: ["other"] } },
      "Test-Shell: parameter mode is not one of plain, fancy",
    ],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], mode: ["plainer"] } },
      "Test-Shell: parameter mode has 7 characters, allowed are 0 to 6",
    ],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], mode: ["a", "b"] } },
      "Test-Shell: parameter mode is a String and takes one value, not 2",
    ],
    [
      "InvalidInstanceId",
      { InstanceIds: ["i-00000000000000001", "i-9", "i-00000000000000002"] },
      `Instances [[i-9, i-00000000000000002]] not in a valid state for account ${ACCOUNT}`,
    ],
    [
      "DuplicateInstanceId",
      { InstanceIds: ["i-00000000000000001", "i-00000000000000001"] },
      "You can't specify a managed node ID in more than one association.",
    ],
    [
      "ValidationException",
      { Comment: "c".repeat(101) },
      `1 validation error detected: Value '${"c".repeat(101)}' at 'comment' failed to satisfy constraint: Member must have length less than or equal to 100`,
    ],
    [
      "ValidationException",
      { TimeoutSeconds: 29 },
      "1 validation error detected: Value '29' at 'timeoutSeconds' failed to satisfy constraint: Member must have value greater than or equal to 30",
    ],
    [
      "ValidationException",
      { TimeoutSeconds: 2_592_001 },
      "1 validation error detected: Value '2592001' at 'timeoutSeconds' failed to satisfy constraint: Member must have value less than or equal to 2592000",
    ],
    [
      "ValidationException",
      { MaxErrors: "many" },
      "1 validation error detected: Value 'many' at 'maxErrors' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$",
    ],
    [
      "NotModelledLocally",
      { NotificationConfig: {} },
      "ssm SendCommand with NotificationConfig is not done by the local stack",
    ],
  ])("%s %j", (code, change, message) => {
    const [first, second] = nodes() as [TestNode, TestNode];
    second.set("stopped");
    const { service } = runCommandOver([first, second]);
    const request = { ...shell([first], "true"), ...change };
    expect(() => service.sendCommand(request)).toThrow(expect.objectContaining({ code, message }));
    expect(service.listCommands().Commands).toEqual([]);
  });

  test("51 instances", () => {
    const many = fleet(51);
    const { service } = runCommandOver(many);
    const message = expect.stringMatching(/at 'instanceIds' failed .* length less than or equal to 50$/);
    expect(() => service.sendCommand(shell(many, "true"))).toThrow(
      expect.objectContaining({ code: "ValidationException", message }),
    );
  });
});

describe("rates", () => {
  test("never more than MaxConcurrency at once, here 40 % of five", async () => {
    const nodes = fleet(5);
    const { service } = runCommandOver(nodes);
    const held = [
      "slot=/var/tmp/one; mkdir $slot 2>/dev/null || { slot=/var/tmp/two; mkdir $slot; } || exit 9",
      "sleep 0.3; rmdir $slot",
    ];
    const { Command } = service.sendCommand({ ...shell(nodes, ...held), MaxConcurrency: "40%" });
    let most = 0;
    let status = "";
    while (status !== "Success" && status !== "Failed") {
      const running = detailsOf(service, Command.CommandId).filter((detail) => detail === "InProgress").length;
      most = Math.max(most, running);
      status = service.listCommands({ CommandId: Command.CommandId }).Commands[0]?.Status ?? "";
      await delay(5);
    }
    expect(status).toBe("Success");
    expect(most).toBe(2);
  });

  test("one error more than MaxErrors terminates what was not sent yet", async () => {
    const nodes = fleet(4);
    const { service } = runCommandOver(nodes);
    const { Command } = service.sendCommand({ ...shell(nodes, "exit 1"), MaxConcurrency: "1", MaxErrors: "1" });
    const done = await ended(service, Command.CommandId);
    expect(detailsOf(service, Command.CommandId)).toEqual(["Failed", "Failed", "Terminated", "Terminated"]);
    expect(done).toMatchObject({ Status: "Failed", StatusDetails: "Failed", ErrorCount: 2, CompletedCount: 4 });
  });

  test("errors within MaxErrors leave the command incomplete", async () => {
    const nodes = fleet(2);
    const { service } = runCommandOver(nodes);
    const script = "case $AWS_SSM_INSTANCE_ID in *1) exit 7;; esac";
    const { Command } = service.sendCommand({ ...shell(nodes, script), MaxErrors: "50%" });
    const done = await ended(service, Command.CommandId);
    expect(detailsOf(service, Command.CommandId)).toEqual(["Failed", "Success"]);
    expect(done).toMatchObject({ Status: "Failed", StatusDetails: "Incomplete", ErrorCount: 1 });
  });
});

describe("nodes that cannot be reached", () => {
  test("four undeliverable and one success make a success", async () => {
    const nodes = fleet(5);
    for (const node of nodes.slice(1)) node.set("undeliverable");
    const { service } = runCommandOver(nodes);
    const { Command } = service.sendCommand(shell(nodes, "true"));
    const done = await ended(service, Command.CommandId);
    const undeliverable = Array(4).fill("Undeliverable");
    expect(detailsOf(service, Command.CommandId)).toEqual(["Success", ...undeliverable]);
    expect(done).toMatchObject({ Status: "Success", ErrorCount: 0, CompletedCount: 5 });
  });

  test("a node that comes back in time is served, one that does not is DeliveryTimedOut and no error", async () => {
    const nodes = fleet(2) as [TestNode, TestNode];
    for (const node of nodes) node.set("connectionLost");
    const { service } = runCommandOver(nodes, { clock: fastClock(20) });
    const { Command } = service.sendCommand({ ...shell(nodes, "true"), TimeoutSeconds: 30 });
    await delay(300);
    const meanwhile = detailsOf(service, Command.CommandId);
    nodes[0].set("online");
    const done = await ended(service, Command.CommandId);
    expect(meanwhile).toEqual(["Delayed", "Delayed"]);
    expect(detailsOf(service, Command.CommandId)).toEqual(["Success", "DeliveryTimedOut"]);
    expect(done).toMatchObject({
      Status: "TimedOut",
      StatusDetails: "DeliveryTimedOut",
      ErrorCount: 0,
      DeliveryTimedOutCount: 1,
    });
  });

  test("an agent that never answers is given up when the command expires", async () => {
    const [node] = fleet(1) as [TestNode];
    const gone = { ...node, host: { ...node.host, exec: () => Promise.reject(new Error("no such host")) } };
    const { service, lines } = runCommandOver([gone], { clock: fastClock(200) });
    const { Command } = service.sendCommand({ ...shell([gone], "true"), TimeoutSeconds: 30 });
    const done = await ended(service, Command.CommandId);
    expect(done).toMatchObject({ Status: "TimedOut", StatusDetails: "DeliveryTimedOut" });
    expect(lines).toEqual([`${Command.CommandId} i-00000000000000001: the agent is gone: no such host`]);
  });
});

test("a time-out of the step is ExecutionTimedOut and an error", async () => {
  const nodes = fleet(1);
  const { service } = runCommandOver(nodes);
  const { Command } = service.sendCommand(shell(nodes, "exit 137"));
  const done = await ended(service, Command.CommandId);
  expect(detailsOf(service, Command.CommandId)).toEqual(["ExecutionTimedOut"]);
  expect(done).toMatchObject({ Status: "Failed", StatusDetails: "Failed", ErrorCount: 1 });
});

test("cancelling stops the running, withdraws the waiting and leaves the finished", async () => {
  const nodes = fleet(3);
  const { service } = runCommandOver(nodes);
  const script = "case $AWS_SSM_INSTANCE_ID in *1) exit 0;; esac; sleep 60";
  const { Command } = service.sendCommand({ ...shell(nodes, script), MaxConcurrency: "1" });
  while (detailsOf(service, Command.CommandId)[1] !== "InProgress") await delay(10);
  service.cancelCommand({ CommandId: Command.CommandId });
  const cancelling = detailsOf(service, Command.CommandId);
  const askedAt = Date.now();
  const done = await ended(service, Command.CommandId);
  expect(Date.now() - askedAt).toBeLessThan(3000);
  expect(cancelling).toEqual(["Success", "Cancelling", "Cancelled"]);
  expect(detailsOf(service, Command.CommandId)).toEqual(["Success", "Cancelled", "Cancelled"]);
  expect(done).toMatchObject({ Status: "Cancelled", StatusDetails: "Cancelled" });
});

test("targets by tag; none that match is a success of nothing", async () => {
  const nodes = [nodeOn(host, 1, { Fleet: "web" }), nodeOn(host, 2, { Fleet: "db" })];
  const { service } = runCommandOver(nodes);
  const send = (value: string) =>
    service.sendCommand({
      DocumentName: "Test-Shell",
      Targets: [{ Key: "tag:Fleet", Values: [value] }],
      Parameters: { commands: ["true"] },
    }).Command.CommandId;
  const web = await ended(service, send("web"));
  const none = await ended(service, send("mail"));
  expect(
    service.listCommandInvocations({ CommandId: web.CommandId }).CommandInvocations.map((i) => i.InstanceId),
  ).toEqual(["i-00000000000000001"]);
  expect(none).toMatchObject({ Status: "Success", StatusDetails: "NoInstancesInTag", TargetCount: 0 });
});

test("right after sending, GetCommandInvocation does not know the command yet", async () => {
  const nodes = fleet(1);
  const { service } = runCommandOver(nodes, { visibleAfterMs: 200 });
  const { Command } = service.sendCommand(shell(nodes, "true"));
  const at = { CommandId: Command.CommandId, InstanceId: "i-00000000000000001" };
  expect(() => service.getCommandInvocation(at)).toThrow(expect.objectContaining({ code: "InvocationDoesNotExist" }));
  await delay(220);
  expect(service.getCommandInvocation(at).CommandId).toBe(Command.CommandId);
});

test("events can be lost, late and doubled", async () => {
  const nodes = fleet(1);
  const seen: [string, unknown, number][] = [];
  const startedAt = Date.now();
  const { service } = runCommandOver(nodes, {
    emit: (event) => void seen.push([event["detail-type"], event.detail.status, Date.now() - startedAt]),
    faults: {
      lose: (event) => event.detail.status === "InProgress",
      duplicate: (event) => "instance-id" in event.detail,
      delayMs: (event) => ("instance-id" in event.detail ? 0 : 400),
    },
  });
  const { Command } = service.sendCommand(shell(nodes, "true"));
  await ended(service, Command.CommandId);
  await delay(500);
  const invocation = "EC2 Command Invocation Status-change Notification";
  expect(seen.map(([type, status]) => [type, status])).toEqual([
    [invocation, "Success"],
    [invocation, "Success"],
    ["EC2 Command Status-change Notification", "Success"],
  ]);
  expect(seen[2]?.[2]).toBeGreaterThanOrEqual(400);
});

test("nothing waits any more once a command has ended", async () => {
  const nodes = fleet(2) as [TestNode, TestNode];
  nodes[1].set("undeliverable");
  let asleep = 0;
  const real = fastClock(1);
  const clock = {
    now: real.now,
    sleep: async (ms: number, signal: AbortSignal) => {
      asleep++;
      await real.sleep(ms, signal).finally(() => asleep--);
    },
  };
  const { service } = runCommandOver(nodes, { clock });
  const { Command } = service.sendCommand(shell(nodes, "sleep 0.2"));
  while (detailsOf(service, Command.CommandId)[0] !== "InProgress") await delay(5);
  const meanwhile = asleep;
  await ended(service, Command.CommandId);
  expect([meanwhile, asleep]).toEqual([1, 0]);
});

test("closing kills what runs and returns when it is gone", async () => {
  const nodes = fleet(1);
  const { service } = runCommandOver(nodes);
  const { Command } = service.sendCommand(shell(nodes, "sleep 61.5"));
  while (detailsOf(service, Command.CommandId)[0] !== "InProgress") await delay(10);
  await delay(200);
  await service.close();
  const left = await host.exec("/bin/sh", ["-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 61[.]5'"], {
    deadlineMs: 5000,
  });
  expect(left.stdout).toBe("0\n");
  expect(detailsOf(service, Command.CommandId)).toEqual(["Cancelled"]);
});

test("AWS-RunShellScript is there, takes its own parameters and no timeoutSeconds", async () => {
  const nodes = fleet(1);
  const { service } = runCommandOver(nodes, { clock: { ...fastClock(1), now: () => START } });
  const request = { DocumentName: "AWS-RunShellScript", InstanceIds: ids(nodes), TimeoutSeconds: 30 };
  const Parameters = { commands: ["pwd"], workingDirectory: ["/var"], executionTimeout: ["60"] };
  const { Command } = service.sendCommand({ ...request, Parameters });
  const done = await ended(service, Command.CommandId);
  const answer = service.getCommandInvocation({ CommandId: done.CommandId, InstanceId: "i-00000000000000001" });
  expect([answer.PluginName, answer.StandardOutputContent]).toEqual(["aws:runShellScript", "/var\n"]);
  expect(done.ExpiresAfter).toEqual(new Date("2026-11-24T03:01:30.000Z"));
  const asInTheSeed = { commands: ["pwd"], timeoutSeconds: ["3600"] };
  expect(() => service.sendCommand({ ...request, Parameters: asInTheSeed })).toThrow(
    expect.objectContaining({
      code: "InvalidParameters",
      message: "AWS-RunShellScript: there is no parameter timeoutSeconds",
    }),
  );
});

test("a document that the local stack does not run is refused when it is stored", () => {
  const old = { name: "Old", createdAt: START, content: JSON.stringify({ schemaVersion: "1.2", runtimeConfig: {} }) };
  expect(() => runCommandOver([], { documents: [old] })).toThrow(
    "document Old: document schema version 1.2 is not run by the local stack; write it as 2.2",
  );
});

test("nodes and documents are listed in pages and filtered", () => {
  const nodes = [nodeOn(host, 1, { Fleet: "web" }), nodeOn(host, 2)] as [TestNode, TestNode];
  nodes[1].set("connectionLost");
  const { service } = runCommandOver(nodes);
  const first = service.describeInstanceInformation({ MaxResults: 1 });
  const second = service.describeInstanceInformation({
    MaxResults: 1,
    ...(first.NextToken ? { NextToken: first.NextToken } : {}),
  });
  const lost = service.describeInstanceInformation({ Filters: [{ Key: "PingStatus", Values: ["ConnectionLost"] }] });
  expect(first.InstanceInformationList).toEqual([
    {
      InstanceId: "i-00000000000000001",
      PingStatus: "Online",
      LastPingDateTime: START,
      AgentVersion: "3.3.1142.0",
      IsLatestVersion: false,
      PlatformType: "Linux",
      PlatformName: "Debian GNU/Linux",
      PlatformVersion: "12",
      ResourceType: "EC2Instance",
      IPAddress: "10.0.0.1",
      ComputerName: "host-1",
      SourceId: "i-00000000000000001",
      SourceType: "AWS::EC2::Instance",
    },
  ]);
  expect(second).toEqual({ InstanceInformationList: [expect.objectContaining({ InstanceId: "i-00000000000000002" })] });
  expect(lost.InstanceInformationList.map((node) => node.InstanceId)).toEqual(["i-00000000000000002"]);
  expect(service.listDocuments().DocumentIdentifiers.map(({ Name, Owner }) => [Name, Owner])).toEqual([
    ["AWS-RunShellScript", "Amazon"],
    ["Test-Shell", ACCOUNT],
    ["Test-TwoSteps", ACCOUNT],
  ]);
  expect(service.getDocument({ Name: `arn:aws:ssm:${REGION}:${ACCOUNT}:document/Test-TwoSteps` }).Status).toBe(
    "Active",
  );
});
