import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { encodeFleetLock } from "../../../contract/fleet-lock.ts";
import type { Lock } from "../../../contract/lock.ts";
import { HOST_PATHS, KEYS } from "../../../contract/names.ts";
import { type Imds, openImds } from "../../../local/endpoints/imds/imds.ts";
import type { AccessRequest } from "../../../local/endpoints/protocol/request.ts";
import { debName, type SamplePackage } from "../../../local/hosts/sample/package.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { sampleSources } from "../../../local/hosts/sources.ts";
import { ACCOUNT, OPERATOR, type Running, runEndpoint } from "../../local/endpoints/running.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

const REGION = "eu-west-3";
const BUCKET = "autopatch-data";
const HOST = { accessKeyId: "ASIAFLEETHOST", secretAccessKey: "secret" };
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const PEM = publicKey.export({ type: "spki", format: "pem" }).toString();

const alpha = adversary({}, "alpha");
const beta = adversary({}, "beta");
const delta = adversary({}, "delta");
const betaNext: SamplePackage = { ...beta.next, fields: { Depends: "newcomer" } };
const newcomer: SamplePackage = { ...adversary({}, "newcomer").next, version: "1.0-1", conffiles: [] };
const gamma = adversary({}, "gamma").next;
/** What the canaries had: delta is pending too and was not among it. */
const PROVEN = [alpha.next, betaNext, newcomer, gamma];

let bench: Bench;
let folder: string;
/** What the mirror had when the canaries were patched, and what it has now. */
let then: SampleRepository;
let now: SampleRepository;
let cloud: Running;
let imds: Imds;
beforeAll(async () => {
  bench = await openBench();
  folder = mkdtempSync(join(tmpdir(), "autopatch-fleet-"));
  const open = (packages: readonly SamplePackage[]) =>
    openSampleRepository({ folder: mkdtempSync(join(folder, "repository-")), date: new Date(), packages });
  then = await open([...PROVEN, delta.next]);
  now = await open([{ ...alpha.next, version: "3.0-1" }, delta.next]);
  const mayRead = ({ action, resource }: AccessRequest) =>
    action === "s3:GetObject" && /^arn:aws:s3:::autopatch-data\/(pool|fleet-locks)\//.test(resource);
  const operator = { userId: "AIDA", arn: `arn:aws:iam::${ACCOUNT}:user/operator`, allows: () => true };
  const host = { userId: "AROA:i-1", arn: `arn:aws:sts::${ACCOUNT}:assumed-role/host/i-1`, allows: mayRead };
  cloud = await runEndpoint(undefined, {
    region: REGION,
    buckets: [BUCKET],
    callers: { find: (key) => (key === HOST.accessKeyId ? host : key === OPERATOR.accessKeyId ? operator : undefined) },
  });
  const instanceId = "i-00000000000000001";
  imds = await openImds({ instanceId, account: ACCOUNT, region: REGION, role: "host", credentials: HOST });
});
afterAll(async () => {
  await imds.close();
  await cloud.stop();
  for (const one of [then, now]) await one.close();
  await bench.close();
  rmSync(folder, { recursive: true, force: true });
});

const bytesOf = (one: SamplePackage) => readFileSync(join(then.folder, "pool", debName(one)));

/** The fleet lock of these packages, and its signature. */
function fleetLock(packages: readonly SamplePackage[], sequence: number): { document: Buffer; signature: string } {
  const entries = packages.map((one): Lock["entries"][number] => {
    const bytes = bytesOf(one);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const { name, version } = one;
    return { name, version, architecture: "all", from: null, sha256, size: bytes.length, file: debName(one) };
  });
  const lock: Lock = { release: "bookworm", architecture: "amd64", entries, removals: [] };
  const issuedAt = new Date(Date.now() - 3_600_000).toISOString();
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  const document = encodeFleetLock({ fleet: "web", runId: "canary-run", issuedAt, expiresAt, sequence }, lock);
  return { document, signature: sign("sha256", document, { key: privateKey, dsaEncoding: "der" }).toString("base64") };
}

/** A host of the fleet: alpha, beta and delta at 1.0, and a mirror. */
async function fleetHost(repository: SampleRepository): Promise<AgentHost> {
  const host = await bench.host({ sources: [] });
  await lockUpgrade(host, [alpha, beta, delta]);
  useMirror(host, repository);
  host.write("/etc/autopatch/fleet-lock.pem", PEM, 0o644);
  const config = `AWS_REGION=${REGION}\nAWS_ENDPOINT_URL=${cloud.url}\nAWS_EC2_METADATA_SERVICE_ENDPOINT=${imds.url}\n`;
  host.write(HOST_PATHS.config, `${config}AUTOPATCH_FLEET=web\nAUTOPATCH_REQUIRE_FLEET_LOCK=true\n`, 0o600);
  return host;
}

function useMirror(host: AgentHost, repository: SampleRepository): void {
  host.write("/etc/apt/keyrings/autopatch-sample.gpg", readFileSync(repository.keyring));
  host.write("/etc/apt/sources.list.d/mirror.sources", sampleSources(repository));
}

const NAMES = ["alpha", "beta", "newcomer", "gamma", "delta"];
const versions = async (host: AgentHost) =>
  (await host.run("dpkg-query", "-W", "-f=${Package} ${Version};", ...NAMES)).stdout;
const PATCHED = "alpha 2.0-1;beta 2.0-1;delta 1.0-1;newcomer 1.0-1;";

test("download.sh --lock takes what concerns the host and what that needs; the latest and what was not proven stay out", {
  timeout: 180_000,
}, async () => {
  const host = await fleetHost(then);
  const { document, signature } = fleetLock(PROVEN, 1);
  host.write("/root/fleet.lock", document);
  host.write("/root/fleet.lock.sig", fleetLock([gamma], 1).signature);
  const forged = await host.run("download.sh", "--lock", "/root/fleet.lock");
  host.write("/root/fleet.lock.sig", signature);

  const downloaded = await host.run("download.sh", "--lock", "/root/fleet.lock");
  useMirror(host, now);
  await host.run("apt-get", "update");
  const installed = await host.run("install.sh");

  expect(forged.exitCode).toBe(8);
  expect(host.read(`${HOST_PATHS.logs}/autopatch-manager.log`)).toMatch(
    /SÉCURITÉ COMPROMISE: fleetLockRefused: \/root\/fleet\.lock: its signature is not by the fleet's key/,
  );
  expect(downloaded, downloaded.stderr).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining("3 packages locked, downloaded and verified"),
  });
  const summary = host.read((await host.run("sh", "-c", "ls /var/log/autopatch/download_summary_*")).stdout.trim());
  expect(summary).toContain("gamma  -> 2.0-1: notInstalled: this host does not have it, and nothing it gets needs it");
  expect(installed, installed.stderr).toMatchObject({ exitCode: 0 });
  expect(await versions(host)).toBe(PATCHED);
  await host.close();
});

test("superseded in mid-rollout: the lock comes from S3, the stored copies from the pool, never the latest", {
  timeout: 180_000,
}, async () => {
  const host = await fleetHost(now);
  const { document, signature } = fleetLock(PROVEN, 2);
  const key = KEYS.fleetLock("web", "canary-run", "bookworm-amd64");
  const s3 = new S3Client({ endpoint: cloud.url, region: REGION, credentials: OPERATOR, forcePathStyle: true });
  const put = (Key: string, Body: string | Buffer) => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body }));
  await put(key, document);
  await put(`${key}.sig`, signature);
  const poolKey = (one: SamplePackage) => KEYS.pool(createHash("sha256").update(bytesOf(one)).digest("hex"));
  await put(poolKey(alpha.next), bytesOf(alpha.next));
  const changes = { fleetLocks: { prefix: KEYS.fleetLocks("web", "canary-run"), kinds: ["bookworm-amd64"] } };
  await host.step("preflight", changes);

  const unplanned = await host.step("install");
  const missing = await host.step("download", changes);
  await put(poolKey(betaNext), bytesOf(newcomer));
  const swapped = await host.step("download", changes);
  for (const one of [betaNext, newcomer]) await put(poolKey(one), bytesOf(one));
  const outcomes = [];
  for (const step of ["download", "verify", "backup", "install", "commit"] as const)
    outcomes.push((await host.step(step, changes)).result);
  s3.destroy();

  expect(unplanned.result).toMatchObject({ code: "fleetLockRefused" });
  expect("message" in unplanned.result && unplanned.result.message).toMatch(/AUTOPATCH_REQUIRE_FLEET_LOCK allows only/);
  expect(missing.result).toMatchObject({ outcome: "failed", code: "downloadFailed" });
  expect("message" in missing.result && missing.result.message).toMatch(
    /^beta 2\.0-1: no repository of this host offers it any more, and the fleet's pool does not have it$/,
  );
  expect(swapped.result).toMatchObject({ outcome: "failed", code: "hashMismatch" });
  for (const result of outcomes) expect(result, JSON.stringify(result)).toMatchObject({ outcome: "succeeded" });
  expect(await versions(host)).toBe(PATCHED);
  await host.close();
});

test("a host that would need what the fleet lock does not have stops, and apt's words say what", async () => {
  const host = await fleetHost(then);
  const { document, signature } = fleetLock([alpha.next, betaNext], 3);
  host.write("/root/fleet.lock", document);
  host.write("/root/fleet.lock.sig", signature);

  const { exitCode, stderr } = await host.run("download.sh", "--lock", "/root/fleet.lock");

  expect(exitCode).toBe(8);
  expect(stderr).toMatch(
    /this host cannot install beta 2\.0-1 with the fleet lock's packages alone: .*beta : Depends: newcomer but it is not installable/,
  );
  expect(await versions(host)).toBe("alpha 1.0-1;beta 1.0-1;delta 1.0-1;");
  await host.close();
});
