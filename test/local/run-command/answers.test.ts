import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { cloneAsHost } from "./agent-host.ts";
import {
  ACCOUNT,
  ended,
  fastClock,
  fleetOn,
  ids,
  nodeOn,
  REGION,
  runCommandOver,
  START,
  shell,
  type TestNode,
} from "./fleet.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});

const fleet = (size: number): TestNode[] => fleetOn(host, size);

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

test("right after sending, GetCommandInvocation does not know the command yet", async () => {
  const nodes = fleet(1);
  const { service } = runCommandOver(nodes, { visibleAfterMs: 200 });
  const { Command } = service.sendCommand(shell(nodes, "true"));
  const at = { CommandId: Command.CommandId, InstanceId: "i-00000000000000001" };
  expect(() => service.getCommandInvocation(at)).toThrow(expect.objectContaining({ code: "InvocationDoesNotExist" }));
  await delay(220);
  expect(service.getCommandInvocation(at).CommandId).toBe(Command.CommandId);
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
