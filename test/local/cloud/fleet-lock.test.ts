import { execFileSync } from "node:child_process";
import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetPublicKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import { DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openFleetLock } from "../../../contract/fleet-lock.ts";
import { KEYS } from "../../../contract/names.ts";
import { Promotion } from "../../../contract/promotion.ts";
import type { HostRequest } from "../../../contract/request.ts";
import { RunReport, type RunRequest } from "../../../contract/run.ts";
import type { StepName } from "../../../contract/steps.ts";
import { readConfig } from "../../../infra/config.ts";
import { synthesise } from "../../../infra/synthesise.ts";
import { Callers } from "../../../local/cloud/callers.ts";
import { type Cloud, openCloud } from "../../../local/cloud/cloud.ts";
import { type Deployment, deploy } from "../../../local/cloud/deployment.ts";
import { readAssembly } from "../../../local/cloud/template.ts";
import { entryOf, execOf, readAs, type ToldHost } from "./told-hosts.ts";

/** The synthesised stack with its bundled Lambdas and the policies of their roles; only the hosts are told what to say. */
const PLACE = { account: "123456789012", region: "eu-west-1", stackName: "AutoPatch" };
const WAVES = { canary: 1, steps: [1], errorBudget: 0.5, bakeSeconds: 0 };
let folder: string;
let deployment: Deployment;
let callers: Callers;
let bucket: string;
let cloud: Cloud;
let runs = 0;
const lines: string[] = [];
const asked = new Map<string, Map<StepName, HostRequest>>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-fleet-lock-"));
  deployment = deploy(
    readAssembly(
      synthesise(join(folder, "cdk.out"), readConfig({ approval: { critical: false }, waitSliceSeconds: 10 })),
      PLACE.stackName,
    ),
    PLACE,
  );
  callers = new Callers(deployment);
  bucket = deployment.outputs.BucketName ?? "";
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(async () => {
  asked.clear();
  lines.length = 0;
  cloud = await openCloud({
    deployment,
    folder: mkdtempSync(join(folder, "cloud-")),
    log: (line) => void lines.push(line),
  });
});
afterEach(() => cloud.close());

const id = (number: number) => `i-${String(number).padStart(17, "0")}`;
const userId = (number: number) => callers.ofHost(id(number)).userId;

async function addHosts(hosts: readonly Omit<ToldHost, "instanceId">[]): Promise<void> {
  for (const [index, told] of hosts.entries()) {
    const instanceId = id(index + 1);
    const requests = new Map<StepName, HostRequest>();
    asked.set(instanceId, requests);
    const exec = execOf({ ...told, instanceId }, callers.ofHost(instanceId), () => cloud.url, bucket, requests);
    await cloud.addHost({
      instanceId,
      host: {
        exec,
        reboot: () => Promise.reject(new Error("nobody reboots")),
        identity: { instanceId, region: PLACE.region },
        platform: { type: "linux", name: "Debian GNU/Linux", version: "12" },
      },
      tags: { AutoPatchEnabled: "true" },
      computerName: `host-${index + 1}`,
      ipAddress: "127.0.0.1",
      agentVersion: "3.3.1142.0",
      state: () => "online",
      lastPing: () => new Date(),
    });
  }
}

async function run(
  request: RunRequest = {},
): Promise<{ runId: string; report: RunReport; promotion: Promotion | null }> {
  const runId = `run-${++runs}`;
  const { executionArn } = cloud.machines.startExecution({
    stateMachineArn: deployment.outputs.PatchFleetArn ?? "",
    name: runId,
    input: JSON.stringify({ waves: WAVES, ...request }),
  });
  const ended = await cloud.machines.finished(executionArn);
  const report = await cloud.readObject(KEYS.report(runId));
  if (report === null) throw new Error(`${ended.error}: ${ended.cause}\n${lines.join("\n")}`);
  const promotion = await cloud.readObject(KEYS.promotion(runId));
  return {
    runId,
    report: RunReport.parse(JSON.parse(report)),
    promotion: promotion === null ? null : Promotion.parse(JSON.parse(promotion)),
  };
}

async function publicKey(): Promise<string> {
  const { credentials } = callers.ofHost(id(2));
  const kms = new KMSClient({ endpoint: cloud.url, region: PLACE.region, credentials });
  const { PublicKey = new Uint8Array() } = await kms.send(
    new GetPublicKeyCommand({ KeyId: deployment.outputs.FleetLockKeyArn }),
  );
  kms.destroy();
  const key = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
  return key.export({ format: "pem", type: "spki" }).toString();
}

/** Invokes a function as the operator, by the name of its handler. */
async function invoke(name: string, event: object): Promise<{ error: string | null; body: Record<string, unknown> }> {
  const fn = deployment.functions.find(({ logicalId }) => logicalId.startsWith(`Functions${name}`));
  const { accessKeyId } = cloud.operator.credentials;
  const response = await fetch(`${cloud.url}/2015-03-31/functions/${fn?.name}/invocations`, {
    method: "POST",
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20261124/${PLACE.region}/lambda/aws4_request, SignedHeaders=host, Signature=0`,
      "x-amz-invocation-type": "RequestResponse",
    },
    body: JSON.stringify(event),
  });
  const body = (await response.json()) as Record<string, unknown>;
  return { error: response.headers.get("x-amz-function-error"), body };
}

/** As the operator, who may do anything. */
async function withS3(work: (s3: S3Client) => Promise<unknown>): Promise<void> {
  const { credentials } = cloud.operator;
  const s3 = new S3Client({ endpoint: cloud.url, region: PLACE.region, forcePathStyle: true, credentials });
  await work(s3).finally(() => s3.destroy());
}
const put = (Key: string, Body: string) => withS3((s3) => s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body })));
const remove = (Key: string) => withS3((s3) => s3.send(new DeleteObjectCommand({ Bucket: bucket, Key })));

const TWO = { "alpha 2.0": "bytes of alpha", "beta 2.0": "bytes of beta" };

test("what the canary installed is signed, kept in the pool, and all that later waves are told; kinds without a canary stop", {
  timeout: 120_000,
}, async () => {
  await addHosts([{ plans: TWO }, { plans: TWO }, { plans: TWO, release: "trixie" }]);

  const { runId, report, promotion } = await run();

  expect(
    report.hosts.map(({ outcome }) => outcome),
    lines.join("\n"),
  ).toEqual(["committed", "committed", "blocked"]);
  const prefix = `fleet-locks/default/${runId}/`;
  const requests = [1, 2, 3].map((number) => asked.get(id(number))?.get("preflight"));
  expect(requests.map((one) => [one?.offerDebs, one?.fleetLocks])).toEqual([
    [true, undefined],
    [undefined, { prefix, kinds: ["bookworm-amd64"] }],
    [undefined, { prefix, kinds: ["bookworm-amd64"] }],
  ]);
  // Each command but prepare has nothing to do with it.
  expect(asked.get(id(2))?.get("install")).not.toHaveProperty("fleetLocks");
  expect(promotion).toMatchObject({
    terms: { fleet: "default", runId, sequence: 1 },
    proven: [{ kind: "bookworm-amd64", packages: 2, canaries: 1, leftOut: [], offeredBy: [userId(1)] }],
    unproven: [],
  });

  // As a host of the later waves reads it, with its own rights.
  const host = callers.ofHost(id(2));
  const document = await readAs(host, cloud.url, bucket, `${prefix}bookworm-amd64.txt`);
  const signature = await readAs(host, cloud.url, bucket, `${prefix}bookworm-amd64.txt.sig`);
  const pem = await publicKey();
  const opened = openFleetLock(Buffer.from(document), signature, pem);
  const entries = Object.entries(TWO).map(([named, content]) => ({ ...entryOf(named, content), from: null }));
  expect(opened).toMatchObject({ header: { sequence: 1, runId }, lock: { release: "bookworm", entries } });
  for (const { sha256 } of entries)
    expect(Object.values(TWO)).toContain(await readAs(host, cloud.url, bucket, KEYS.pool(sha256)));

  // By hand, as the guide says.
  const files = {
    document: join(folder, "lock.txt"),
    signature: join(folder, "lock.sig"),
    key: join(folder, "key.pem"),
  };
  writeFileSync(files.document, document);
  writeFileSync(files.signature, Buffer.from(signature, "base64"));
  writeFileSync(files.key, pem);
  const checked = ["dgst", "-sha256", "-verify", files.key, "-signature", files.signature, files.document];
  expect(execFileSync("openssl", checked, { encoding: "utf8" })).toBe("Verified OK\n");
});

test("the number grows from run to run; a call that is repeated changes nothing; the pool takes only what it lacks", {
  timeout: 120_000,
}, async () => {
  await addHosts([{ plans: TWO }, { plans: TWO }]);
  const first = await run();
  const key = KEYS.fleetLock("default", first.runId, "bookworm-amd64");
  const before = [await cloud.readObject(key), await cloud.readObject(`${key}.sig`)];

  const second = await run();
  const again = await invoke("promote", { runId: first.runId });
  const pooled = await invoke("pool", { runId: first.runId });

  expect([first.promotion?.terms?.sequence, second.promotion?.terms?.sequence]).toEqual([1, 2]);
  expect(again).toEqual({ error: null, body: { sequence: 1, proven: ["bookworm-amd64"], unproven: [] } });
  expect([await cloud.readObject(key), await cloud.readObject(`${key}.sig`)]).toEqual(before);
  expect(pooled.body).toEqual({ taken: 0, known: 2, missing: 0 });
});

test("a promotion that was cut short is taken up with the same number and bytes; a document of somebody else's is never signed", {
  timeout: 120_000,
}, async () => {
  await addHosts([{ plans: TWO }, { plans: TWO }]);
  const { runId } = await run();
  const key = KEYS.fleetLock("default", runId, "bookworm-amd64");
  const document = await cloud.readObject(key);
  // The record comes last: without it the call does not know that it has been here before.
  await remove(KEYS.promotion(runId));
  await remove(`${key}.sig`);

  const again = await invoke("promote", { runId });

  expect(again).toEqual({ error: null, body: { sequence: 1, proven: ["bookworm-amd64"], unproven: [] } });
  expect(await cloud.readObject(key)).toBe(document);
  const signature = (await cloud.readObject(`${key}.sig`)) ?? "";
  expect(openFleetLock(Buffer.from(document ?? ""), signature, await publicKey())).toMatchObject({
    header: { sequence: 1, runId },
  });

  const record = (await cloud.readObject(KEYS.promotion(runId))) ?? "";
  await put(key, (document ?? "").replace(/[0-9a-f]{64}/, "0".repeat(64)));
  for (const made of [KEYS.promotion(runId), `${key}.sig`]) await remove(made);
  const forged = await invoke("promote", { runId });

  expect(forged).toMatchObject({
    error: "Unhandled",
    body: { errorMessage: expect.stringContaining("other content") },
  });
  expect(await cloud.readObject(`${key}.sig`)).toBeNull();

  await put(`${key}.sig`, signature);
  await put(KEYS.promotion(runId), record);
  expect((await invoke("pool", { runId })).error).toBe("Unhandled");
});

test("a canary's .deb with other bytes than it installed never gets into the pool, whatever it is called", {
  timeout: 120_000,
}, async () => {
  const offers = (content: string) => (content === "bytes of beta" ? "BYTES OF BETA" : content);
  await addHosts([{ plans: TWO, offers }, { plans: TWO }]);

  const { runId, report } = await run();

  expect(report.outcome).toBe("succeeded");
  expect((await invoke("pool", { runId })).body).toEqual({ taken: 0, known: 1, missing: 1 });
  expect(await cloud.readObject(KEYS.pool(entryOf("beta 2.0", "bytes of beta").sha256))).toBeNull();
  expect(lines.join("\n")).toContain(
    '"package":"beta","version":"2.0","message":"no canary offers it as it was locked"',
  );
});

test("a canary that reports another lock than it installed proves nothing, and nobody after it plans by itself", {
  timeout: 120_000,
}, async () => {
  await addHosts([{ plans: TWO, reports: { "alpha 2.0": "bytes of an attacker" } }, { plans: TWO }]);

  const { promotion, report } = await run();

  expect(promotion).toMatchObject({
    terms: null,
    locks: { kinds: [] },
    unproven: [
      { kind: "bookworm-amd64", why: expect.stringMatching(/^canary host-1: its report tells another lock than/) },
    ],
  });
  expect(report.hosts.map(({ outcome }) => outcome)).toEqual(["committed", "blocked"]);
});

test("two canaries with other bytes under one version stop the run before anything is applied, and the alarm is raised", {
  timeout: 120_000,
}, async () => {
  const other = { ...TWO, "beta 2.0": "bytes of beta, for you alone" };
  await addHosts([{ plans: TWO }, { plans: TWO }, { plans: other }, { plans: TWO }]);

  const { report, promotion } = await run({ waves: { ...WAVES, canary: 3, errorBudget: "100%" } });

  expect(promotion).toBeNull();
  expect(report.outcome).toBe("stopped");
  expect(report.hosts.map(({ outcome }) => outcome)).toEqual(Array(4).fill("unchanged"));
  const sha = entryOf("beta 2.0", other["beta 2.0"]).sha256.slice(0, 16);
  expect(report.waves[0]?.verdicts).toMatchObject([
    {
      decision: "stop",
      violation: true,
      reason: expect.stringMatching(
        new RegExp(
          `^security violation, split view: beta 2\\.0 has SHA-256 ${sha}… on host-3, [0-9a-f]{16}… on host-1, host-2$`,
        ),
      ),
    },
  ]);
  expect(asked.get(id(1))?.has("install")).toBe(false);
});

test("a dry run promotes nothing", { timeout: 120_000 }, async () => {
  await addHosts([{ plans: TWO }, { plans: TWO }]);

  const { promotion, report } = await run({ dryRun: true });

  expect([promotion, report.outcome]).toEqual([null, "succeeded"]);
  expect(asked.get(id(1))?.get("preflight")).not.toHaveProperty("offerDebs");
  expect(asked.get(id(2))?.get("preflight")).not.toHaveProperty("fleetLocks");
});
