import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Manifest } from "../../../agent/backup/manifest.ts";
import { fetchBackup } from "../../../agent/host/backup-fetch.ts";
import { uploadBackups } from "../../../agent/host/backup-upload.ts";
import { systemClock } from "../../../agent/host/clock.ts";
import type { Cloud } from "../../../agent/host/cloud.ts";
import { openPool } from "../../../agent/host/deb-pool.ts";
import { exec } from "../../../agent/host/exec.ts";
import type { Machine } from "../../../agent/host/machine.ts";
import { HOST_PATHS, KEYS } from "../../../contract/names.ts";
import type { Fault } from "../../../local/endpoints/fault.ts";
import type { AccessRequest, Caller } from "../../../local/endpoints/protocol/request.ts";
import { BUCKET, OPERATOR, REGION, type Running, runEndpoint } from "../../local/endpoints/running.ts";

const OLD = "AROAEXAMPLEROLE:i-00000000000000001";
const NEW = "AROAEXAMPLEROLE:i-00000000000000002";
const MIB = 1 << 20;

/** A host below its own prefixes, as the stack's policy has it; the second one also carries the recovery policy. */
function host(userId: string, reads: string): Caller {
  const below = (resource: string, prefix: string) => resource.startsWith(`arn:aws:s3:::${BUCKET}/backups/${prefix}`);
  return {
    userId,
    arn: `arn:aws:sts::123456789012:assumed-role/autopatch-host/${userId.split(":")[1]}`,
    allows: ({ action, resource, context }: AccessRequest) => {
      if (action === "s3:ListBucket") return (context?.["s3:prefix"] ?? "").startsWith(`backups/${reads}`);
      if (action === "s3:GetObject") return below(resource, reads) || resource.includes("/pool/");
      return ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"].includes(action)
        ? below(resource, `${userId}/`)
        : action === "sts:GetCallerIdentity";
    },
  };
}
const CALLERS: Readonly<Record<string, Caller>> = {
  AKIAOLD: host(OLD, `${OLD}/`),
  AKIANEW: host(NEW, ""),
  [OPERATOR.accessKeyId]: {
    userId: "AIDAOPERATOR",
    arn: "arn:aws:iam::123456789012:user/operator",
    allows: () => true,
  },
};

let running: Running;
let fault: (operation: string, count: number) => Fault | undefined = () => undefined;
const calls: string[] = [];
let s3: S3Client;
let cloud: Cloud;
beforeAll(async () => {
  running = await runEndpoint(undefined, {
    callers: { find: (key) => CALLERS[key] },
    fault: (caller, _service, operation) => {
      if (caller.userId === "AIDAOPERATOR") return undefined;
      calls.push(operation);
      return fault(operation, calls.filter((one) => one === operation).length);
    },
  });
  s3 = new S3Client({ endpoint: running.url, region: REGION, credentials: OPERATOR, forcePathStyle: true });
  cloud = { bucket: BUCKET, region: REGION, config: { AWS_ENDPOINT_URL: running.url } };
});
const roots: string[] = [];
beforeEach(() => {
  calls.length = 0;
  fault = () => undefined;
  as("AKIAOLD");
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  s3.destroy();
  await running.stop();
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

function as(accessKeyId: string): void {
  vi.stubEnv("AWS_ACCESS_KEY_ID", accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
}

function machine(): Machine {
  const root = mkdtempSync(join(tmpdir(), "autopatch-upload-"));
  roots.push(root);
  mkdirSync(join(root, HOST_PATHS.backups), { recursive: true, mode: 0o700 });
  const silent = () => {};
  return { root, exec, clock: systemClock, log: { info: silent, warn: silent, error: silent, violation: silent } };
}

const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

/** A backup of given files, as one lies on a host. */
function backup({ root }: Machine, id: string, files: Readonly<Record<string, string | Buffer>>): string[] {
  const folder = join(root, HOST_PATHS.backups, id);
  const manifest: Manifest = {
    format: 2,
    id,
    kind: "complete",
    machine: null,
    runId: "run-1",
    lockDigest: null,
    createdAt: "2026-01-01T00:00:00.000Z",
    scannedAt: "2026-01-01T00:00:00.000Z",
    packs: [],
    state: { packages: [], autoMarks: [], holds: [] },
    statusDigest: "0".repeat(64),
    changing: [],
    entries: [],
    absent: [],
    stateFolders: [],
    notCovered: [],
  };
  const all = { "manifest.json": JSON.stringify(manifest), "before.scan.zst": `scan of ${id}`, ...files };
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, name), content, { mode: 0o600 });
  }
  const sums = Object.entries(all).map(([name, content]) => `${sha256(content)}  ${name}\n`);
  writeFileSync(join(folder, "SHA256SUMS"), sums.join(""), { mode: 0o600 });
  return Object.values(all).map(sha256);
}

const listed = (userId: string, id: string) =>
  running.store.current(BUCKET, KEYS.backupIndex(userId, id)) !== undefined;

test("each content goes once, the listing last; what is there is not sent again; it comes back on another host, checked", async () => {
  const old = machine();
  const shared = randomBytes(1000);
  backup(old, "backup_20260101T000000Z", { "files.tar.zst": "first", "debs/a.deb": shared });
  backup(old, "backup_20260102T000000Z", { "files.tar.zst": "second", "debs/a.deb": shared });

  const first = await uploadBackups(old, cloud);
  const order = calls.filter((call) => call === "PutObject" || call === "HeadObject");
  const again = await uploadBackups(old, cloud);
  as("AKIANEW");
  const fresh = machine();
  const fetched = await fetchBackup(fresh, cloud, { backup: "latest", from: "i-00000000000000001" });
  const twice = await fetchBackup(fresh, cloud, { backup: "backup_20260102T000000Z", from: OLD });
  const at = join(fresh.root, HOST_PATHS.backups, "backup_20260102T000000Z");

  // Four files and the sums of each; the shared one once. Then each listing.
  expect(first).toMatchObject({ backups: ["backup_20260101T000000Z", "backup_20260102T000000Z"], sent: 9, known: 1 });
  expect(order).toHaveLength(9 + 2 + 1);
  expect(again).toEqual({ backups: [], sent: 0, known: 0, bytes: 0 });
  expect(fetched).toMatchObject({ id: "backup_20260102T000000Z", from: OLD, own: false });
  expect(twice.bytes).toBe(0);
  expect(readFileSync(join(at, "debs/a.deb")).equals(shared)).toBe(true);
  expect(JSON.parse(readFileSync(join(at, "fetched.json"), "utf8"))).toMatchObject({ from: OLD, own: false });
  await expect(uploadBackups(fresh, cloud)).resolves.toMatchObject({ backups: [] });
});

test("a large file goes in parts; killed in between, only what is missing is sent, and the object is the file", async () => {
  const old = machine();
  const large = randomBytes(40 * MIB);
  backup(old, "backup_20260103T000000Z", { "files.tar.zst": large });
  const options = { singleBytes: 8 * MIB };

  fault = (operation, count) => (operation === "UploadPart" && count === 3 ? denied : undefined);
  const cut = uploadBackups(old, cloud, options);
  await expect(cut).rejects.toMatchObject({
    code: "storageFailed",
    message: expect.stringMatching(/part 3: AccessDenied/),
  });
  const whole = listed(OLD, "backup_20260103T000000Z");
  fault = () => undefined;
  calls.length = 0;
  const resumed = await uploadBackups(old, cloud, options);
  const Key = KEYS.backupObject(OLD, sha256(large));
  const head = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key, ChecksumMode: "ENABLED" }));
  const got = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));

  expect(whole).toBe(false);
  expect(resumed.backups).toEqual(["backup_20260103T000000Z"]);
  expect(calls.filter((call) => /Part|Multipart/.test(call))).toEqual([
    "ListParts",
    "UploadPart",
    "CompleteMultipartUpload",
  ]);
  expect(head.ChecksumSHA256).toMatch(/-3$/);
  expect(sha256(Buffer.from((await got.Body?.transformToByteArray()) ?? []))).toBe(sha256(large));
});

const denied: Fault = { code: "AccessDenied", status: 403 };
const slow: Fault = { code: "SlowDown", status: 503 };

test("throttling is waited out; when it does not end, or S3 refuses, the backup is not listed", {
  timeout: 120_000,
}, async () => {
  const old = machine();
  backup(old, "backup_20260104T000000Z", { "files.tar.zst": "throttled" });
  fault = (operation, count) => (operation === "PutObject" && count > 1 ? slow : undefined);
  await expect(uploadBackups(old, cloud)).rejects.toMatchObject({
    code: "storageFailed",
    message: expect.stringMatching(/^s3:\/\/conformance\/backups\/.*: SlowDown: /),
  });
  const tries = calls.filter((call) => call === "PutObject").length;
  const whole = listed(OLD, "backup_20260104T000000Z");
  calls.length = 0;
  fault = (operation, count) => (operation === "PutObject" && count < 3 ? slow : undefined);
  const then = await uploadBackups(old, cloud);

  expect(tries).toBe(1 + 6);
  expect(whole).toBe(false);
  expect(then).toMatchObject({ backups: ["backup_20260104T000000Z"], known: 1 });
});

test("what was changed on disk is not uploaded, and what was changed in S3 is not taken", async () => {
  const old = machine();
  backup(old, "backup_20260105T000000Z", { "files.tar.zst": "good bytes" });
  const file = join(old.root, HOST_PATHS.backups, "backup_20260105T000000Z/files.tar.zst");
  writeFileSync(file, "evil bytes");
  await expect(uploadBackups(old, cloud)).rejects.toMatchObject({ code: "backupInvalid" });
  const whole = listed(OLD, "backup_20260105T000000Z");
  writeFileSync(file, "good bytes");
  await uploadBackups(old, cloud);
  const Key = KEYS.backupObject(OLD, sha256("good bytes"));
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "evil bytes" }));
  as("AKIANEW");
  const fresh = machine();
  const request = { backup: "backup_20260105T000000Z", from: OLD };
  const taken = fetchBackup(fresh, cloud, request);
  await expect(taken).rejects.toMatchObject({
    code: "backupInvalid",
    message: expect.stringMatching(/files\.tar\.zst/),
  });
  const shown = existsSync(join(fresh.root, HOST_PATHS.backups, "backup_20260105T000000Z"));
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: "good bytes" }));
  calls.length = 0;
  const resumed = await fetchBackup(fresh, cloud, request);

  expect(whole).toBe(false);
  expect(shown).toBe(false);
  // The files that had come whole are not asked for again.
  expect(calls.filter((call) => call === "GetObject").length).toBeLessThan(4);
  expect(resumed.id).toBe("backup_20260105T000000Z");
  await expect(fetchBackup(fresh, cloud, { backup: "backup_20991231T000000Z", from: OLD })).rejects.toMatchObject({
    code: "backupMissing",
  });
});

test("a host cannot read another's backups without the recovery policy", async () => {
  await expect(fetchBackup(machine(), cloud, { backup: "latest", from: NEW })).rejects.toMatchObject({
    code: "storageFailed",
    message: expect.stringMatching(/AccessDenied/),
  });
});

test("a .deb comes from the fleet's pool by its hash; a pool that cannot be reached is asked once", async () => {
  const bytes = randomBytes(500);
  await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: KEYS.pool(sha256(bytes)), Body: bytes }));
  const host = machine();
  const to = `${HOST_PATHS.backups}/a.deb`;
  const pool = openPool(cloud);
  const got = [await pool.fetch(host, sha256(bytes), to), await pool.fetch(host, "0".repeat(64), to)];
  pool.close();
  calls.length = 0;
  fault = () => slow;
  const throttled = openPool(cloud, { attempts: 2, requestMs: 1_000 });
  const refused = [await throttled.fetch(host, sha256(bytes), to), await throttled.fetch(host, sha256(bytes), to)];
  throttled.close();

  expect(got).toEqual([null, "the fleet's pool does not have it"]);
  expect(readFileSync(join(host.root, to)).equals(bytes)).toBe(true);
  expect(refused).toEqual(Array(2).fill("the fleet's pool cannot be asked (SlowDown)"));
  expect(calls).toEqual(["GetObject", "GetObject"]);
});
