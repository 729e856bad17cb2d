import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendTaskFailureCommand, SendTaskSuccessCommand, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { CancelCommandCommand, SendCommandCommand, SSMClient } from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { REQUEST_PARAMETER } from "../../../contract/names.ts";
import { synthesise } from "../../../infra/synthesise.ts";
import { type Caller, Callers } from "../../../local/cloud/callers.ts";
import { type Deployment, deploy } from "../../../local/cloud/deployment.ts";
import { readAssembly } from "../../../local/cloud/template.ts";
import { systemClock, systemRandomness } from "../../../local/states/ports.ts";
import { StateMachines } from "../../../local/states/state-machines.ts";
import { nodeOn, runCommandOver } from "../run-command/fleet.ts";
import { ACCOUNT, REGION, type Running, runEndpoint } from "./running.ts";

/** The stack's own roles at the endpoint: what each may do is done, and the nearest thing that it may not is refused. */
let folder: string;
let deployment: Deployment;
let callers: Callers;
let running: Running;
let bucket: string;
let topic: string;

/** Commands stay undelivered: whether one is accepted is all that is asked here. */
const unreachable = {
  exec: () => Promise.reject(new Error("nothing is delivered to this host")),
  reboot: () => Promise.reject(new Error("nothing is delivered to this host")),
  platform: { type: "linux", name: "Debian GNU/Linux", version: "12" },
} as const;
const ENROLLED = "i-00000000000000001";
const STRANGER = "i-00000000000000002";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-access-"));
  const place = { account: ACCOUNT, region: REGION, stackName: "AutoPatch" };
  deployment = deploy(readAssembly(synthesise(join(folder, "cdk.out")), place.stackName), place);
  callers = new Callers(deployment);
  bucket = deployment.outputs.BucketName ?? "";
  topic = deployment.topicArns[0] ?? "";
  const nodes = [
    { instanceId: ENROLLED, tags: { AutoPatchEnabled: "true" } },
    { instanceId: STRANGER, tags: { AutoPatchEnabled: "false" } },
  ].map(({ instanceId, tags }, index) => {
    const node = nodeOn({ ...unreachable, identity: { instanceId, region: REGION } }, index + 1, tags);
    node.set("undeliverable");
    return node;
  });
  const documents = deployment.documents.map(({ name, content }) => ({
    name,
    content: JSON.stringify(content),
    createdAt: new Date(0),
  }));
  const refuse = () => Promise.reject(new Error("nothing runs here"));
  const machines = new StateMachines(
    { invoke: refuse, sdk: refuse, clock: systemClock, random: systemRandomness },
    { region: REGION },
  );
  for (const machine of deployment.machines) machines.register(machine);
  const { service: runCommand } = runCommandOver(nodes, { documents });
  const buckets = deployment.buckets.map(({ name }) => name);
  running = await runEndpoint(undefined, {
    callers,
    buckets,
    topicArns: deployment.topicArns,
    runCommand,
    machines,
  });
});
afterAll(async () => {
  await running.stop();
  rmSync(folder, { recursive: true, force: true });
});

function roleOf(name: string): Caller {
  const found = deployment.functions.find(({ logicalId }) => logicalId.startsWith(`Functions${name}`));
  if (found === undefined) throw new Error(`no function ${name}`);
  return callers.ofFunction(found);
}
const as = ({ credentials }: Caller) => ({
  endpoint: running.url,
  region: REGION,
  credentials,
  maxAttempts: 1,
  forcePathStyle: true,
});
const denied = (caller: Caller, name: string, action: string, resource: string) => ({
  name,
  message: `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource}`,
});

describe("SendCommand", () => {
  const ssm = (what: string) => `arn:aws:ssm:${REGION}:${ACCOUNT}:document/${what}`;
  const instance = (id: string) => `arn:aws:ec2:${REGION}:${ACCOUNT}:instance/${id}`;
  const send = (caller: Caller, DocumentName: string, InstanceIds: string[]) =>
    new SSMClient(as(caller)).send(
      new SendCommandCommand({ DocumentName, InstanceIds, Parameters: { [REQUEST_PARAMETER]: ["e30"] } }),
    );

  test("dispatch sends our documents to enrolled hosts", async () => {
    const { Command } = await send(roleOf("dispatch"), "AutoPatch-Preflight", [ENROLLED]);
    const known = running.runCommand
      .listCommands()
      .Commands.map(({ CommandId, InstanceIds }) => [CommandId, InstanceIds]);
    expect([Command?.DocumentName, Command?.TargetCount]).toEqual(["AutoPatch-Preflight", 1]);
    expect(known).toEqual([[Command?.CommandId, [ENROLLED]]]);
  });

  test("one host without the tag among them and nothing is sent", async () => {
    const dispatch = roleOf("dispatch");
    const known = () => running.runCommand.listCommands().Commands.map(({ CommandId }) => CommandId);
    const before = known();
    await expect(send(dispatch, "AutoPatch-Preflight", [ENROLLED, STRANGER])).rejects.toMatchObject(
      denied(dispatch, "AccessDeniedException", "ssm:SendCommand", instance(STRANGER)),
    );
    expect(known()).toEqual(before);
  });

  test("no other document, and by no other function", async () => {
    const [dispatch, collect] = [roleOf("dispatch"), roleOf("collect")];
    await expect(send(dispatch, "AWS-RunShellScript", [ENROLLED])).rejects.toMatchObject(
      denied(dispatch, "AccessDeniedException", "ssm:SendCommand", ssm("AWS-RunShellScript")),
    );
    await expect(send(collect, "AutoPatch-Preflight", [ENROLLED])).rejects.toMatchObject(
      denied(collect, "AccessDeniedException", "ssm:SendCommand", ssm("AutoPatch-Preflight")),
    );
    await expect(
      new SSMClient(as(dispatch)).send(new CancelCommandCommand({ CommandId: "00000000-0000-4000-8000-000000000001" })),
    ).rejects.toMatchObject(denied(dispatch, "AccessDeniedException", "ssm:CancelCommand", "*"));
  });
});

describe("task tokens and executions", () => {
  const answer = { taskToken: "no such token", output: "{}" };

  test("await and on-event may answer: an unknown token is all that is wrong", async () => {
    for (const name of ["await", "onevent"]) {
      const client = new SFNClient(as(roleOf(name)));
      await expect(client.send(new SendTaskSuccessCommand(answer))).rejects.toMatchObject({ name: "InvalidToken" });
    }
  });

  test("nobody else may, nor may they fail a task or start a run", async () => {
    const [collect, onEvent] = [roleOf("collect"), roleOf("onevent")];
    const fleet = deployment.outputs.PatchFleetArn ?? "";
    await expect(new SFNClient(as(collect)).send(new SendTaskSuccessCommand(answer))).rejects.toMatchObject(
      denied(collect, "AccessDeniedException", "states:SendTaskSuccess", "*"),
    );
    const client = new SFNClient(as(onEvent));
    await expect(client.send(new SendTaskFailureCommand({ taskToken: "t" }))).rejects.toMatchObject(
      denied(onEvent, "AccessDeniedException", "states:SendTaskFailure", "*"),
    );
    await expect(client.send(new StartExecutionCommand({ stateMachineArn: fleet }))).rejects.toMatchObject(
      denied(onEvent, "AccessDeniedException", "states:StartExecution", fleet),
    );
  });
});

describe("metrics and messages", () => {
  const put = (caller: Caller, Namespace: string) =>
    new CloudWatchClient(as(caller)).send(
      new PutMetricDataCommand({ Namespace, MetricData: [{ MetricName: "BackupCount", Value: 1 }] }),
    );

  test("report puts metrics into AutoPatch's namespaces alone", async () => {
    const report = roleOf("report");
    await put(report, "AutoPatch/Operations");
    await expect(put(report, "Billing")).rejects.toMatchObject(
      denied(report, "AccessDeniedException", "cloudwatch:PutMetricData", "*"),
    );
    expect(running.metrics.data.map(({ namespace, name }) => [namespace, name])).toEqual([
      ["AutoPatch/Operations", "BackupCount"],
    ]);
  });

  test("notify publishes; report does not", async () => {
    const publish = (caller: Caller) =>
      new SNSClient(as(caller)).send(new PublishCommand({ TopicArn: topic, Message: "done" }));
    const report = roleOf("report");
    await publish(roleOf("notify"));
    await expect(publish(report)).rejects.toMatchObject(denied(report, "AccessDeniedException", "sns:Publish", topic));
    expect(running.topics.messages.map(({ message }) => message)).toEqual(["done"]);
  });
});

describe("objects", () => {
  const put = (caller: Caller, Key: string) =>
    new S3Client(as(caller)).send(new PutObjectCommand({ Bucket: bucket, Key, Body: "{}" }));
  const get = (caller: Caller, Key: string) =>
    new S3Client(as(caller)).send(new GetObjectCommand({ Bucket: bucket, Key }));
  const arn = (key: string) => `arn:aws:s3:::${bucket}/${key}`;

  test("each function keeps to its prefixes; one that may list learns that a key is missing", async () => {
    const [plan, await_] = [roleOf("plan"), roleOf("await")];
    await put(plan, "runs/r1/plan.json");
    await expect(put(plan, "hosts/x/report.json")).rejects.toMatchObject(
      denied(plan, "AccessDenied", "s3:PutObject", arn("hosts/x/report.json")),
    );
    await expect(get(await_, "runs/r1/plan.json")).rejects.toMatchObject(
      denied(await_, "AccessDenied", "s3:GetObject", arn("runs/r1/plan.json")),
    );
    await expect(get(plan, "runs/r1/missing.json")).rejects.toMatchObject({ name: "NoSuchKey" });
  });

  test("a host has its own prefix, by the user id that STS tells, and may not even ask what else there is", async () => {
    const [one, two] = [callers.ofHost(ENROLLED), callers.ofHost(STRANGER)];
    const { UserId } = await new STSClient(as(one)).send(new GetCallerIdentityCommand({}));
    const own = `hosts/${UserId}/runs/r1/install-1.json`;
    await put(one, own);
    expect(await (await get(one, own)).Body?.transformToString()).toBe("{}");
    await expect(put(two, own)).rejects.toMatchObject(denied(two, "AccessDenied", "s3:PutObject", arn(own)));
    await expect(get(two, own)).rejects.toMatchObject(denied(two, "AccessDenied", "s3:GetObject", arn(own)));
    const listing = denied(one, "AccessDenied", "s3:ListBucket", `arn:aws:s3:::${bucket}`);
    await expect(get(one, `hosts/${UserId}/missing`)).rejects.toMatchObject(listing);
    await expect(
      new S3Client(as(one)).send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `hosts/${UserId}/` })),
    ).rejects.toMatchObject(listing);
  });
});
