import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { GetPublicKeyCommand, KMSClient, SignCommand } from "@aws-sdk/client-kms";
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendTaskFailureCommand, SendTaskSuccessCommand, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { CancelCommandCommand, PutComplianceItemsCommand, SendCommandCommand, SSMClient } from "@aws-sdk/client-ssm";
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
    signingKeyArns: deployment.signingKeyArns,
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
    const { Command } = await send(roleOf("dispatch"), "AutoPatch-Prepare", [ENROLLED]);
    const known = running.runCommand
      .listCommands()
      .Commands.map(({ CommandId, InstanceIds }) => [CommandId, InstanceIds]);
    expect([Command?.DocumentName, Command?.TargetCount]).toEqual(["AutoPatch-Prepare", 1]);
    expect(known).toEqual([[Command?.CommandId, [ENROLLED]]]);
  });

  test("one host without the tag among them and nothing is sent", async () => {
    const dispatch = roleOf("dispatch");
    const known = () => running.runCommand.listCommands().Commands.map(({ CommandId }) => CommandId);
    const before = known();
    await expect(send(dispatch, "AutoPatch-Prepare", [ENROLLED, STRANGER])).rejects.toMatchObject(
      denied(dispatch, "AccessDeniedException", "ssm:SendCommand", instance(STRANGER)),
    );
    expect(known()).toEqual(before);
  });

  test("no other document, and by no other function", async () => {
    const [dispatch, onEvent] = [roleOf("dispatch"), roleOf("onevent")];
    await expect(send(dispatch, "AWS-RunShellScript", [ENROLLED])).rejects.toMatchObject(
      denied(dispatch, "AccessDeniedException", "ssm:SendCommand", ssm("AWS-RunShellScript")),
    );
    await expect(send(onEvent, "AutoPatch-Prepare", [ENROLLED])).rejects.toMatchObject(
      denied(onEvent, "AccessDeniedException", "ssm:SendCommand", ssm("AutoPatch-Prepare")),
    );
    await expect(
      new SSMClient(as(dispatch)).send(new CancelCommandCommand({ CommandId: "00000000-0000-4000-8000-000000000001" })),
    ).rejects.toMatchObject(denied(dispatch, "AccessDeniedException", "ssm:CancelCommand", "*"));
  });
});

describe("task tokens and executions", () => {
  const answer = { taskToken: "no such token", output: "{}" };

  test("those that see the end of a command may answer: an unknown token is all that is wrong", async () => {
    for (const name of ["dispatch", "onevent"]) {
      const client = new SFNClient(as(roleOf(name)));
      await expect(client.send(new SendTaskSuccessCommand(answer))).rejects.toMatchObject({ name: "InvalidToken" });
    }
  });

  test("nobody else may, nor may they fail a task or start a run", async () => {
    const [report, onEvent] = [roleOf("report"), roleOf("onevent")];
    const fleet = deployment.outputs.PatchFleetArn ?? "";
    await expect(new SFNClient(as(report)).send(new SendTaskSuccessCommand(answer))).rejects.toMatchObject(
      denied(report, "AccessDeniedException", "states:SendTaskSuccess", "*"),
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

  test("a host publishes its alerts to the stack's topic, and its metrics, and nothing to anybody else's", async () => {
    const host = callers.ofHost(ENROLLED);
    const publish = (TopicArn: string) =>
      new SNSClient(as(host)).send(new PublishCommand({ TopicArn, Subject: "AutoPatch", Message: "not well" }));
    await publish(topic);
    await put(host, "AutoPatch/Operations/Security");
    expect(running.topics.messages.at(-1)?.message).toBe("not well");
    const other = `arn:aws:sns:${REGION}:${ACCOUNT}:payroll`;
    await expect(publish(other)).rejects.toMatchObject(denied(host, "AccessDeniedException", "sns:Publish", other));
    await expect(put(host, "Billing")).rejects.toMatchObject(
      denied(host, "AccessDeniedException", "cloudwatch:PutMetricData", "*"),
    );
  });

  test("report tells of hosts that carry the tag, and no other function of any", async () => {
    const tell = (caller: Caller, ResourceId: string) =>
      new SSMClient(as(caller)).send(
        new PutComplianceItemsCommand({
          ResourceId,
          ResourceType: "ManagedInstance",
          ComplianceType: "Custom:AutoPatch",
          ExecutionSummary: { ExecutionTime: new Date(0) },
          Items: [],
        }),
      );
    const arn = (id: string) => `arn:aws:ec2:${REGION}:${ACCOUNT}:instance/${id}`;
    const [report, notify] = [roleOf("report"), roleOf("notify")];
    await tell(report, ENROLLED);
    for (const [caller, id] of [
      [report, STRANGER],
      [notify, ENROLLED],
    ] as const)
      await expect(tell(caller, id)).rejects.toMatchObject(
        denied(caller, "AccessDeniedException", "ssm:PutComplianceItems", arn(id)),
      );
  });
});

describe("objects", () => {
  const put = (caller: Caller, Key: string) =>
    new S3Client(as(caller)).send(new PutObjectCommand({ Bucket: bucket, Key, Body: "{}" }));
  const get = (caller: Caller, Key: string) =>
    new S3Client(as(caller)).send(new GetObjectCommand({ Bucket: bucket, Key }));
  const arn = (key: string) => `arn:aws:s3:::${bucket}/${key}`;

  test("each function keeps to its prefixes; one that may list learns that a key is missing", async () => {
    const [plan, notify] = [roleOf("plan"), roleOf("notify")];
    await put(plan, "runs/r1/plan.json");
    await expect(put(plan, "hosts/x/report.json")).rejects.toMatchObject(
      denied(plan, "AccessDenied", "s3:PutObject", arn("hosts/x/report.json")),
    );
    await expect(get(notify, "commands/c1.json")).rejects.toMatchObject(
      denied(notify, "AccessDenied", "s3:GetObject", arn("commands/c1.json")),
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

describe("fleet locks and the pool", () => {
  const s3 = (caller: Caller) => new S3Client(as(caller));
  const put = (caller: Caller, Key: string) =>
    s3(caller).send(new PutObjectCommand({ Bucket: bucket, Key, Body: "deb" }));
  const arn = (key: string) => `arn:aws:s3:::${bucket}/${key}`;
  const key = () => deployment.outputs.FleetLockKeyArn ?? "";
  const sign = (caller: Caller, over: Partial<ConstructorParameters<typeof SignCommand>[0]> = {}) =>
    new KMSClient(as(caller)).send(
      new SignCommand({
        KeyId: key(),
        Message: Buffer.alloc(32),
        MessageType: "DIGEST",
        SigningAlgorithm: "ECDSA_SHA_256",
        ...over,
      }),
    );

  test("promote signs digests, and only digests; nobody else signs anything", async () => {
    const promote = roleOf("promote");
    expect((await sign(promote)).Signature).toBeInstanceOf(Uint8Array);
    await expect(sign(promote, { MessageType: "RAW" })).rejects.toMatchObject(
      denied(promote, "AccessDeniedException", "kms:Sign", key()),
    );
    for (const other of [roleOf("pool"), roleOf("dispatch"), roleOf("assess"), callers.ofHost(ENROLLED)])
      await expect(sign(other)).rejects.toMatchObject(denied(other, "AccessDeniedException", "kms:Sign", key()));
  });

  test("hosts and the pool may know the public key", async () => {
    for (const caller of [roleOf("pool"), callers.ofHost(ENROLLED)]) {
      const { KeySpec } = await new KMSClient(as(caller)).send(new GetPublicKeyCommand({ KeyId: key() }));
      expect(KeySpec).toBe("ECC_NIST_P256");
    }
  });

  test("a host offers under its own prefix, and writes neither the pool nor a lock", async () => {
    const [one, two] = [callers.ofHost(ENROLLED), callers.ofHost(STRANGER)];
    await put(one, `offered/${one.userId}/00.deb`);
    for (const [caller, Key] of [
      [two, `offered/${one.userId}/00.deb`],
      [one, "pool/00.deb"],
      [one, "fleet-locks/default/run-1/bookworm-amd64.txt"],
    ] as const)
      await expect(put(caller, Key)).rejects.toMatchObject(denied(caller, "AccessDenied", "s3:PutObject", arn(Key)));
  });

  test("only the pool's function writes the pool, and only promote a lock", async () => {
    const [pool, promote] = [roleOf("pool"), roleOf("promote")];
    await put(pool, "pool/11.deb");
    await put(promote, "fleet-locks/default/run-1/bookworm-amd64.txt");
    await expect(put(promote, "pool/22.deb")).rejects.toMatchObject({ name: "AccessDenied" });
    await expect(put(pool, "fleet-locks/default/run-1/trixie-amd64.txt")).rejects.toMatchObject({
      name: "AccessDenied",
    });
  });
});
