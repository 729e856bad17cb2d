import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { cloneAsHost } from "../run-command/agent-host.ts";
import { ended } from "../run-command/fleet.ts";
import { ACCOUNT, BUCKET, HOST, MACHINE, OPERATOR, REGION, type Running, runEndpoint, TOPIC } from "./running.ts";

/** The aws command line on this machine's PATH, or null. */
function findAws(): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = folders.map((folder) => join(folder, "aws")).find(isExecutable);
  return found ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const AWS = findAws();
const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/);
/** Of version 1 and 2 when a service has refused. */
const REFUSED = [255, 254];

describe.skipIf(AWS === null)("the aws command line", () => {
  let host: Awaited<ReturnType<typeof cloneAsHost>>;
  let running: Running;
  let home: string;
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), "autopatch-aws-home-"));
    // Version 1 prints dates as they came, version 2 as text: here both print text.
    writeFileSync(join(home, "config"), "[default]\ncli_timestamp_format = iso8601\n");
    host = await cloneAsHost();
    running = await runEndpoint(host);
  });
  afterAll(async () => {
    await running.stop();
    await host.close();
    rmSync(home, { recursive: true, force: true });
  });

  /** Runs `aws` with this machine's own configuration out of sight. */
  async function aws(args: readonly string[], credentials: typeof OPERATOR = OPERATOR) {
    const { exitCode, stdout, stderr } = await exec(AWS ?? "aws", ["--endpoint-url", running.url, ...args], {
      deadlineMs: 50_000,
      cwd: home,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: home,
        AWS_CONFIG_FILE: join(home, "config"),
        TZ: "UTC",
        AWS_REGION: REGION,
        AWS_DEFAULT_REGION: REGION,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        AWS_PAGER: "",
        AWS_EC2_METADATA_DISABLED: "true",
        NO_PROXY: "127.0.0.1",
      },
    });
    return { exitCode, stdout, stderr };
  }
  const json = async (...args: string[]): Promise<unknown> => {
    const { exitCode, stdout, stderr } = await aws([...args, "--output", "json"]);
    if (exitCode !== 0) throw new Error(`aws ${args.join(" ")}: ${exitCode}: ${stderr}`);
    return JSON.parse(stdout);
  };

  test("stepfunctions list-executions and get-execution-history", async () => {
    const { executionArn } = running.machines.startExecution({
      stateMachineArn: MACHINE,
      name: "from-the-command-line",
      input: '{"name":"you"}',
    });
    await running.machines.finished(executionArn);
    const [listed, history] = await Promise.all([
      json("stepfunctions", "list-executions", "--state-machine-arn", MACHINE),
      json("stepfunctions", "get-execution-history", "--execution-arn", executionArn),
    ]);
    expect(listed).toEqual({
      executions: [
        {
          executionArn,
          stateMachineArn: MACHINE,
          name: "from-the-command-line",
          status: "SUCCEEDED",
          startDate: INSTANT,
          stopDate: INSTANT,
          redriveCount: 0,
        },
      ],
    });
    const untruncated = { truncated: false };
    const greeting = { output: '{"greeting":"hello you"}', outputDetails: untruncated };
    const input = { input: '{"name":"you"}', inputDetails: untruncated };
    const event = (id: number, previousEventId: number, type: string, details: object) => ({
      timestamp: INSTANT,
      type,
      id,
      previousEventId,
      ...details,
    });
    expect(history).toEqual({
      events: [
        event(1, 0, "ExecutionStarted", {
          executionStartedEventDetails: { ...input, roleArn: `arn:aws:iam::${ACCOUNT}:role/greeter` },
        }),
        event(2, 0, "PassStateEntered", { stateEnteredEventDetails: { name: "Greet", ...input } }),
        event(3, 2, "PassStateExited", { stateExitedEventDetails: { name: "Greet", ...greeting } }),
        event(4, 3, "ExecutionSucceeded", { executionSucceededEventDetails: greeting }),
      ],
    });
  });

  test("ssm send-command, list-command-invocations and describe-instance-information", async () => {
    const InstanceId = "i-00000000000000001";
    const sent = (await json(
      ...["ssm", "send-command", "--document-name", "Test-Shell", "--instance-ids", InstanceId],
      ...["--parameters", '{"commands":["echo from $AWS_SSM_INSTANCE_ID"]}', "--comment", "by hand"],
    )) as { Command: { CommandId: string } };
    await ended(running.runCommand, sent.Command.CommandId);
    const [invocations, nodes] = await Promise.all([
      json("ssm", "list-command-invocations", "--details"),
      json("ssm", "describe-instance-information", "--query", "InstanceInformationList[].[InstanceId,PingStatus]"),
    ]);
    expect(invocations).toMatchObject({
      CommandInvocations: [
        {
          CommandId: sent.Command.CommandId,
          InstanceId,
          Comment: "by hand",
          DocumentName: "Test-Shell",
          Status: "Success",
          StatusDetails: "Success",
          RequestedDateTime: INSTANT,
          CommandPlugins: [{ Name: "run", Status: "Success", ResponseCode: 0, Output: `from ${InstanceId}\n` }],
        },
      ],
    });
    expect(nodes).toEqual([[InstanceId, "Online"]]);
  });

  test("s3 cp, ls and rm, large files in parts", async () => {
    const content = Buffer.alloc(9 * 1024 * 1024, "0123456789abcdef");
    const [file, back] = [join(home, "large"), join(home, "back")];
    writeFileSync(file, content);
    const up = await aws(["s3", "cp", file, `s3://${BUCKET}/cli/large`, "--no-progress"]);
    const [listed, folders, buckets, down] = await Promise.all([
      aws(["s3", "ls", "--recursive", `s3://${BUCKET}/cli/`]),
      aws(["s3", "ls", `s3://${BUCKET}/`]),
      aws(["s3", "ls"]),
      aws(["s3", "cp", `s3://${BUCKET}/cli/large`, back, "--no-progress"]),
    ]);
    const removed = await aws(["s3", "rm", `s3://${BUCKET}/cli/large`]);
    const after = await aws(["s3", "ls", "--recursive", `s3://${BUCKET}/cli/`]);
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
    expect([up.stderr, up.exitCode]).toEqual(["", 0]);
    expect(listed.stdout).toMatch(new RegExp(`^${time} {4}${content.length} cli/large\n$`));
    expect(folders.stdout).toBe("                           PRE cli/\n");
    expect(buckets.stdout).toMatch(new RegExp(`^${time} ${BUCKET}\n$`));
    expect([down.stderr, readFileSync(back).equals(content)]).toEqual(["", true]);
    expect(removed.stdout).toBe(`delete: s3://${BUCKET}/cli/large\n`);
    expect([after.stdout, after.exitCode]).toEqual(["", 1]);
  });

  test("cloudwatch put-metric-data, list-metrics and get-metric-statistics", async () => {
    const metric = ["--namespace", "AutoPatch/Operations", "--metric-name", "TotalPackages"];
    const put = await aws([
      ...["cloudwatch", "put-metric-data", ...metric, "--value", "34", "--dimensions", "Fleet=web"],
      ...["--timestamp", "2026-11-24T03:00:30Z"],
    ]);
    const [listed, statistics] = await Promise.all([
      json("cloudwatch", "list-metrics", "--namespace", "AutoPatch/Operations"),
      json(
        ...["cloudwatch", "get-metric-statistics", ...metric, "--dimensions", "Name=Fleet,Value=web"],
        ...["--start-time", "2026-11-24T03:00:00Z", "--end-time", "2026-11-24T04:00:00Z", "--period", "60"],
        ...["--statistics", "Maximum"],
      ),
    ]);
    const Dimensions = [{ Name: "Fleet", Value: "web" }];
    expect([put.stderr, put.exitCode]).toEqual(["", 0]);
    expect(listed).toEqual({
      Metrics: [{ Namespace: "AutoPatch/Operations", MetricName: "TotalPackages", Dimensions }],
    });
    expect(statistics).toEqual({
      Label: "TotalPackages",
      Datapoints: [{ Timestamp: "2026-11-24T03:00:00+00:00", Maximum: 34, Unit: "None" }],
    });
  });

  test("sns list-topics and publish, sts get-caller-identity", async () => {
    const published = (await json("sns", "publish", "--topic-arn", TOPIC, "--message", "a & b <c>")) as object;
    const [topics, identity] = await Promise.all([json("sns", "list-topics"), json("sts", "get-caller-identity")]);
    expect(topics).toEqual({ Topics: [{ TopicArn: TOPIC }] });
    expect(identity).toEqual({
      UserId: "AIDAOPERATOR",
      Account: ACCOUNT,
      Arn: `arn:aws:iam::${ACCOUNT}:user/operator`,
    });
    expect(running.topics.messages.map(({ messageId, message }) => ({ MessageId: messageId, message }))).toEqual([
      { ...published, message: "a & b <c>" },
    ]);
  });

  test("refusals are told in the service's own shape", async () => {
    const list = ["s3api", "list-objects-v2", "--bucket", BUCKET];
    const [unknown, denied, nobody] = await Promise.all([
      aws(["ssm", "get-parameter", "--name", "x"]),
      aws(list, HOST),
      aws(list, { accessKeyId: "AKIANOBODY", secretAccessKey: "x" }),
    ]);
    const said = (code: string, operation: string, message: string) =>
      expect.stringContaining(`An error occurred (${code}) when calling the ${operation} operation: ${message}`);
    expect(unknown.stderr).toEqual(
      said("NotModelledLocally", "GetParameter", "ssm GetParameter is not done by the local stack"),
    );
    expect(denied.stderr).toEqual(
      said(
        "AccessDenied",
        "ListObjectsV2",
        `User: arn:aws:sts::${ACCOUNT}:assumed-role/autopatch-host/i-00000000000000001 is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::${BUCKET}`,
      ),
    );
    expect(nobody.stderr).toEqual(
      said("InvalidAccessKeyId", "ListObjectsV2", "The AWS Access Key Id you provided does not exist in our records."),
    );
    for (const { exitCode } of [unknown, denied, nobody]) expect(REFUSED).toContain(exitCode);
    expect(running.lines).toEqual(["endpoint: ssm GetParameter is not done by the local stack"]);
  });
});
