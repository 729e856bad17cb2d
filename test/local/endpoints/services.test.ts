import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  GetMetricStatisticsCommand,
  ListMetricsCommand,
  PutMetricDataCommand,
} from "@aws-sdk/client-cloudwatch";
import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListMapRunsCommand,
  ListStateMachinesCommand,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import {
  GetTopicAttributesCommand,
  ListTopicsCommand,
  PublishCommand,
  SNSClient,
  SubscribeCommand,
} from "@aws-sdk/client-sns";
import {
  CancelCommandCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  GetDocumentCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  ListDocumentsCommand,
  PutParameterCommand,
  SendCommandCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneAsHost } from "../run-command/agent-host.ts";
import { SHELL_DOCUMENT, START } from "../run-command/fleet.ts";
import { ACCOUNT, HOST, HOST_USER_ID, MACHINE, OPERATOR, REGION, type Running, runEndpoint, TOPIC } from "./running.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
let running: Running;
const clientOptions = (credentials: typeof OPERATOR = OPERATOR) => ({
  endpoint: running.url,
  region: REGION,
  credentials,
  maxAttempts: 1,
});
beforeAll(async () => {
  host = await cloneAsHost();
  running = await runEndpoint(host);
});
afterAll(async () => {
  await running.stop();
  await host.close();
});

/** An answer without what the SDK adds about the connection. */
async function answer<T extends { $metadata: unknown }>(sending: Promise<T>): Promise<Omit<T, "$metadata">> {
  const { $metadata: _connection, ...rest } = await sending;
  return rest;
}

describe("Systems Manager", () => {
  const ssm = () => new SSMClient(clientOptions());
  const InstanceId = "i-00000000000000001";

  test("a command sent, awaited and read", async () => {
    const client = ssm();
    const { Command } = await answer(
      client.send(
        new SendCommandCommand({
          DocumentName: "Test-Shell",
          InstanceIds: [InstanceId],
          Parameters: { commands: ["echo over the wire"] },
        }),
      ),
    );
    const CommandId = Command?.CommandId ?? "";
    let invocation = await answer(client.send(new GetCommandInvocationCommand({ CommandId, InstanceId })));
    while (invocation.Status === "Pending" || invocation.Status === "InProgress") {
      invocation = await answer(client.send(new GetCommandInvocationCommand({ CommandId, InstanceId })));
    }
    const listed = await answer(client.send(new ListCommandInvocationsCommand({ CommandId, Details: true })));
    const commands = await answer(client.send(new ListCommandsCommand({ CommandId })));
    expect(Command).toMatchObject({ Status: "Pending", TargetCount: 1, RequestedDateTime: expect.any(Date) });
    expect(invocation).toMatchObject({
      Status: "Success",
      ResponseCode: 0,
      StandardOutputContent: "over the wire\n",
      PluginName: "run",
    });
    expect(listed.CommandInvocations?.[0]?.CommandPlugins).toEqual([
      {
        Name: "run",
        Status: "Success",
        StatusDetails: "Success",
        ResponseCode: 0,
        ResponseStartDateTime: expect.any(Date),
        ResponseFinishDateTime: expect.any(Date),
        Output: "over the wire\n",
        StandardOutputUrl: "",
        StandardErrorUrl: "",
        OutputS3Region: "",
        OutputS3BucketName: "",
        OutputS3KeyPrefix: "",
      },
    ]);
    expect(commands.Commands?.map((one) => one.CommandId)).toEqual([CommandId]);
    expect(await answer(client.send(new CancelCommandCommand({ CommandId })))).toEqual({});
  });

  test("nodes and documents", async () => {
    const client = ssm();
    const nodes = await answer(
      client.send(new DescribeInstanceInformationCommand({ Filters: [{ Key: "tag:Fleet", Values: ["web"] }] })),
    );
    const documents = await answer(client.send(new ListDocumentsCommand({})));
    const document = await answer(client.send(new GetDocumentCommand({ Name: "Test-Shell" })));
    expect(
      nodes.InstanceInformationList?.map((node) => [node.InstanceId, node.PingStatus, node.LastPingDateTime]),
    ).toEqual([[InstanceId, "Online", START]]);
    expect(documents.DocumentIdentifiers?.map((one) => one.Name)).toEqual([
      "AWS-RunShellScript",
      "Test-Shell",
      "Test-TwoSteps",
    ]);
    expect(document).toEqual({
      Name: "Test-Shell",
      CreatedDate: START,
      DocumentVersion: "1",
      Status: "Active",
      Content: SHELL_DOCUMENT.content,
      DocumentType: "Command",
      DocumentFormat: "JSON",
    });
  });

  test("refusals keep the service's names", async () => {
    const client = ssm();
    const Parameters = { commands: ["true"] };
    const send = (more: Record<string, unknown>) =>
      client.send(
        new SendCommandCommand({ DocumentName: "Test-Shell", InstanceIds: [InstanceId], Parameters, ...more }),
      );
    await expect(send({ InstanceIds: ["i-12345678"] })).rejects.toMatchObject({
      name: "InvalidInstanceId",
      message: `Instances [[i-12345678]] not in a valid state for account ${ACCOUNT}`,
      $metadata: { httpStatusCode: 400 },
    });
    await expect(send({ DocumentName: "None" })).rejects.toMatchObject({ name: "InvalidDocument" });
    await expect(send({ Parameters: { commands: ["a"], x: ["y"] } })).rejects.toMatchObject({
      name: "InvalidParameters",
    });
    await expect(client.send(new GetCommandInvocationCommand({ CommandId: "none", InstanceId }))).rejects.toMatchObject(
      { name: "InvocationDoesNotExist" },
    );
  });

  test("a host may not send commands", async () => {
    const client = new SSMClient(clientOptions(HOST));
    const sending = client.send(new SendCommandCommand({ DocumentName: "Test-Shell", InstanceIds: [InstanceId] }));
    await expect(sending).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: `User: arn:aws:sts::${ACCOUNT}:assumed-role/autopatch-host/i-00000000000000001 is not authorized to perform: ssm:SendCommand on resource: arn:aws:ssm:${REGION}:${ACCOUNT}:document/Test-Shell`,
    });
  });

  test("an operation that is not known is named, to the caller and in the log", async () => {
    await expect(ssm().send(new PutParameterCommand({ Name: "x", Value: "y" }))).rejects.toMatchObject({
      name: "NotModelledLocally",
      message: "ssm PutParameter is not done by the local stack",
    });
    expect(running.lines.at(-1)).toBe("endpoint: ssm PutParameter is not done by the local stack");
  });
});

describe("Step Functions", () => {
  test("an execution started, described, listed, its history read", async () => {
    const sfn = new SFNClient(clientOptions());
    const started = await answer(
      sfn.send(new StartExecutionCommand({ stateMachineArn: MACHINE, name: "run-1", input: '{"name":"you"}' })),
    );
    const executionArn = started.executionArn ?? "";
    await running.machines.finished(executionArn);
    const described = await answer(sfn.send(new DescribeExecutionCommand({ executionArn })));
    const listed = await answer(
      sfn.send(new ListExecutionsCommand({ stateMachineArn: MACHINE, statusFilter: "SUCCEEDED" })),
    );
    const history = await answer(
      sfn.send(
        new GetExecutionHistoryCommand({ executionArn, reverseOrder: true, maxResults: 1, includeExecutionData: true }),
      ),
    );
    expect(started).toEqual({
      executionArn: `arn:aws:states:${REGION}:${ACCOUNT}:execution:greeter:run-1`,
      startDate: expect.any(Date),
    });
    expect(described).toEqual({
      executionArn,
      stateMachineArn: MACHINE,
      name: "run-1",
      status: "SUCCEEDED",
      startDate: expect.any(Date),
      stopDate: expect.any(Date),
      input: '{"name":"you"}',
      inputDetails: { included: true },
      output: '{"greeting":"hello you"}',
      outputDetails: { included: true },
      redriveCount: 0,
    });
    expect(listed.executions?.map((one) => [one.name, one.status])).toEqual([["run-1", "SUCCEEDED"]]);
    expect(history.events?.map((event) => [event.type, event.executionSucceededEventDetails?.output])).toEqual([
      ["ExecutionSucceeded", '{"greeting":"hello you"}'],
    ]);
    expect(history.nextToken).toEqual(expect.any(String));
    expect(await answer(sfn.send(new ListMapRunsCommand({ executionArn })))).toEqual({ mapRuns: [] });
  });

  test("state machines, and refusals by their names", async () => {
    const sfn = new SFNClient(clientOptions());
    const machines = await answer(sfn.send(new ListStateMachinesCommand({})));
    const machine = await answer(sfn.send(new DescribeStateMachineCommand({ stateMachineArn: MACHINE })));
    expect(machines.stateMachines?.map((one) => [one.name, one.type])).toEqual([["greeter", "STANDARD"]]);
    expect([machine.status, machine.name, machine.creationDate]).toEqual(["ACTIVE", "greeter", expect.any(Date)]);
    const taskToken = "no-such-token";
    await expect(sfn.send(new SendTaskSuccessCommand({ taskToken, output: "{}" }))).rejects.toMatchObject({
      name: "InvalidToken",
    });
    await expect(sfn.send(new SendTaskFailureCommand({ taskToken }))).rejects.toMatchObject({ name: "InvalidToken" });
    await expect(sfn.send(new SendTaskHeartbeatCommand({ taskToken }))).rejects.toMatchObject({ name: "InvalidToken" });
    await expect(sfn.send(new StopExecutionCommand({ executionArn: `${MACHINE}:none` }))).rejects.toMatchObject({
      name: "ExecutionDoesNotExist",
    });
  });
});

describe("SNS", () => {
  test("topics, and messages that stay readable here", async () => {
    const sns = new SNSClient(clientOptions());
    const published = await answer(
      sns.send(
        new PublishCommand({
          TopicArn: TOPIC,
          Subject: "AutoPatch: done",
          Message: "4 committed & 1 <rolled back>\nété",
          MessageAttributes: { severity: { DataType: "String", StringValue: "info" } },
        }),
      ),
    );
    expect(published).toEqual({ MessageId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(running.topics.messages).toEqual([
      {
        messageId: published.MessageId,
        topicArn: TOPIC,
        subject: "AutoPatch: done",
        message: "4 committed & 1 <rolled back>\nété",
        attributes: { severity: "info" },
        at: expect.any(Date),
      },
    ]);
    expect(await answer(sns.send(new ListTopicsCommand({})))).toEqual({ Topics: [{ TopicArn: TOPIC }] });
    expect((await answer(sns.send(new GetTopicAttributesCommand({ TopicArn: TOPIC })))).Attributes).toEqual({
      TopicArn: TOPIC,
      DisplayName: "",
      Owner: ACCOUNT,
      SubscriptionsConfirmed: "0",
      SubscriptionsPending: "0",
      SubscriptionsDeleted: "0",
    });
    await expect(sns.send(new PublishCommand({ TopicArn: `${TOPIC}-none`, Message: "x" }))).rejects.toMatchObject({
      name: "NotFoundException",
    });
    await expect(
      sns.send(new PublishCommand({ TopicArn: TOPIC, Subject: "s".repeat(101), Message: "x" })),
    ).rejects.toMatchObject({
      name: "InvalidParameterException",
      message: "Invalid parameter: Subject",
    });
    await expect(sns.send(new SubscribeCommand({ TopicArn: TOPIC, Protocol: "email" }))).rejects.toMatchObject({
      message: "sns Subscribe is not done by the local stack",
    });
  });
});

describe("CloudWatch", () => {
  test("metrics put, listed and read back by period", async () => {
    const cloudwatch = new CloudWatchClient(clientOptions());
    const at = (seconds: number) => new Date(Date.UTC(2026, 10, 24, 3, 0, seconds));
    const Dimensions = [{ Name: "Fleet", Value: "web" }];
    const Namespace = "AutoPatch/Operations";
    await cloudwatch.send(
      new PutMetricDataCommand({
        Namespace,
        MetricData: [
          { MetricName: "BackupCount", Dimensions, Timestamp: at(0), Value: 4, Unit: "Count" },
          { MetricName: "BackupCount", Dimensions, Timestamp: at(30), Values: [1, 7], Counts: [2, 1], Unit: "Count" },
          {
            MetricName: "BackupCount",
            Dimensions,
            Timestamp: at(60),
            StatisticValues: { SampleCount: 2, Sum: 5, Minimum: 2, Maximum: 3 },
          },
          { MetricName: "DiskUsagePercent", Dimensions, Value: 12.5 },
        ],
      }),
    );
    const range = { StartTime: at(0), EndTime: at(120) };
    const listed = await answer(
      cloudwatch.send(new ListMetricsCommand({ Namespace, Dimensions: [{ Name: "Fleet" }] })),
    );
    const statistics = await answer(
      cloudwatch.send(
        new GetMetricStatisticsCommand({
          Namespace,
          MetricName: "BackupCount",
          Dimensions,
          ...range,
          Period: 60,
          Statistics: ["Sum", "Average", "Minimum", "Maximum", "SampleCount"],
        }),
      ),
    );
    const MetricStat = { Metric: { Namespace, MetricName: "BackupCount", Dimensions }, Period: 60, Stat: "Sum" };
    const data = await answer(
      cloudwatch.send(new GetMetricDataCommand({ ...range, MetricDataQueries: [{ Id: "m1", MetricStat }] })),
    );
    expect(listed).toEqual({
      Metrics: [
        { Namespace, MetricName: "BackupCount", Dimensions },
        { Namespace, MetricName: "DiskUsagePercent", Dimensions },
      ],
    });
    expect(statistics).toEqual({
      Label: "BackupCount",
      Datapoints: [
        { Timestamp: at(0), Sum: 13, Average: 3.25, Minimum: 1, Maximum: 7, SampleCount: 4, Unit: "Count" },
        { Timestamp: at(60), Sum: 5, Average: 2.5, Minimum: 2, Maximum: 3, SampleCount: 2, Unit: "None" },
      ],
    });
    expect(data).toEqual({
      MetricDataResults: [
        { Id: "m1", Label: "BackupCount", Timestamps: [at(60), at(0)], Values: [5, 13], StatusCode: "Complete" },
      ],
      Messages: [],
    });
    await expect(cloudwatch.send(new DescribeAlarmsCommand({}))).rejects.toMatchObject({
      name: "NotModelledLocally",
      message: "cloudwatch DescribeAlarms is not done by the local stack",
    });
  });
});

describe("who calls", () => {
  test.each([
    [OPERATOR, "AIDAOPERATOR", `arn:aws:iam::${ACCOUNT}:user/operator`],
    [HOST, HOST_USER_ID, `arn:aws:sts::${ACCOUNT}:assumed-role/autopatch-host/i-00000000000000001`],
  ])("%j", async (credentials, UserId, Arn) => {
    const sts = new STSClient(clientOptions(credentials));
    expect(await answer(sts.send(new GetCallerIdentityCommand({})))).toEqual({ UserId, Account: ACCOUNT, Arn });
  });

  test("nobody", async () => {
    const sts = new STSClient(clientOptions({ accessKeyId: "AKIANOBODY", secretAccessKey: "x" }));
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: "InvalidClientTokenId",
      $metadata: { httpStatusCode: 403 },
    });
  });
});

describe("Lambda and EventBridge, which no installed client speaks to", () => {
  const signed = (service: string) => ({
    authorization: `AWS4-HMAC-SHA256 Credential=${OPERATOR.accessKeyId}/20261124/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
  });
  const invoke = async (name: string, body: string, kind = "RequestResponse") => {
    const response = await fetch(`${running.url}/2015-03-31/functions/${name}/invocations`, {
      method: "POST",
      headers: { ...signed("lambda"), "x-amz-invocation-type": kind },
      body,
    });
    return [response.status, response.headers.get("x-amz-function-error"), await response.text()];
  };

  test("a function is invoked; its error is an answer", async () => {
    expect(await invoke("echo", '{"a":1}')).toEqual([200, null, '{"echoed":{"a":1}}']);
    expect(await invoke("echo", '{"fail":true}')).toEqual([
      200,
      "Unhandled",
      '{"errorType":"Error","errorMessage":"told to fail"}',
    ]);
    expect(await invoke("echo", "{}", "Event")).toEqual([202, null, ""]);
    expect(await invoke("none", "{}")).toEqual([404, null, '{"message":"Function not found: none"}']);
    expect(await invoke("echo", "{")).toEqual([400, null, '{"message":"Could not parse request body into json"}']);
  });

  test("events go to the bus; one that is malformed fails alone", async () => {
    const entry = {
      Source: "autopatch",
      DetailType: "Run finished",
      Detail: '{"runId":"r1"}',
      Time: 1_795_489_200,
      Resources: ["arn:x"],
    };
    const response = await fetch(running.url, {
      method: "POST",
      headers: {
        ...signed("events"),
        "x-amz-target": "AWSEvents.PutEvents",
        "content-type": "application/x-amz-json-1.1",
      },
      body: JSON.stringify({ Entries: [entry, { ...entry, Detail: "[]" }] }),
    });
    expect(await response.json()).toEqual({
      Entries: [
        { EventId: expect.any(String) },
        { ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." },
      ],
      FailedEntryCount: 1,
    });
    expect(running.putEvents).toEqual([
      {
        id: expect.any(String),
        source: "autopatch",
        "detail-type": "Run finished",
        account: ACCOUNT,
        region: REGION,
        time: "2026-11-24T03:00:00.000Z",
        resources: ["arn:x"],
        detail: { runId: "r1" },
      },
    ]);
  });

  test("a service that is not known is named", async () => {
    const response = await fetch(running.url, {
      method: "POST",
      headers: {
        ...signed("sqs"),
        "x-amz-target": "AmazonSQS.SendMessage",
        "content-type": "application/x-amz-json-1.0",
      },
      body: "{}",
    });
    expect([response.status, await response.json()]).toEqual([
      501,
      { __type: "NotModelledLocally", message: "sqs SendMessage is not done by the local stack" },
    ]);
  });
});
