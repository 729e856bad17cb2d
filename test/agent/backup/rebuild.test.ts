import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { StepName } from "../../../contract/steps.ts";
import { openImds } from "../../../local/endpoints/imds/imds.ts";
import type { AccessRequest, Caller } from "../../../local/endpoints/protocol/request.ts";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { ACCOUNT, BUCKET, REGION, type Running, runEndpoint } from "../../local/endpoints/running.ts";
import { type AgentHost, type Bench, openBench, PATH } from "../bench.ts";

/** Times do not count here: what is compared is content, owner, mode, links, packages, marks and holds. */
const LOCK_FILES = /^\/var\/lib\/dpkg\/(lock|lock-frontend|triggers\/Lock)$/;
const closing: (() => Promise<void>)[] = [];
const callers = new Map<string, Caller>();
let bench: Bench;
let running: Running;
beforeAll(async () => {
  bench = await openBench();
  running = await runEndpoint(undefined, { callers: { find: (key) => callers.get(key) } });
});
afterAll(async () => {
  for (const close of closing) await close();
  await running.stop();
  await bench.close();
});

/** A role of its own session, that writes below its own prefix and reads below `reads`. */
async function inCloud(host: AgentHost, reads: string): Promise<string> {
  const userId = `AROAHOST:${host.id}`;
  const key = `ASIA${host.id.slice(-8)}`;
  callers.set(key, {
    userId,
    arn: `arn:aws:sts::${ACCOUNT}:assumed-role/autopatch-host/${host.id}`,
    allows: ({ action, resource, context }: AccessRequest) =>
      action === "sts:GetCallerIdentity" ||
      (action === "s3:ListBucket" && (context?.["s3:prefix"] ?? "").startsWith(`backups/${reads}`)) ||
      (action === "s3:GetObject" && resource.startsWith(`arn:aws:s3:::${BUCKET}/backups/${reads}`)) ||
      (["s3:PutObject", "s3:ListMultipartUploadParts"].includes(action) &&
        new RegExp(`/(backups|hosts)/${userId}/`).test(resource)),
  });
  const credentials = { accessKeyId: key, secretAccessKey: "secret" };
  const imds = await openImds({
    instanceId: host.id,
    account: ACCOUNT,
    region: REGION,
    role: "autopatch-host",
    credentials,
  });
  closing.push(imds.close);
  const lines = [
    `AUTOPATCH_BUCKET=${BUCKET}`,
    `AWS_REGION=${REGION}`,
    `AWS_ENDPOINT_URL=${running.url}`,
    `AWS_EC2_METADATA_SERVICE_ENDPOINT=${imds.url}`,
  ];
  host.write(HOST_PATHS.config, `${lines.join("\n")}\n`, 0o600);
  return userId;
}

async function run(host: AgentHost, file: string, ...args: string[]) {
  return host.sandbox.exec(file, args, { deadlineMs: 240_000, env: { PATH, HOME: "/root" } });
}

test("a complete backup of one host makes another what it was: packages, configuration, marks; the other keeps its identity", {
  timeout: 600_000,
}, async () => {
  const old = await bench.host({ role: "plain", edited: { "/etc/webapp/webapp.conf": "listen=81\n" } });
  const userId = await inCloud(old, `AROAHOST:${old.id}/`);
  await run(old, "apt-mark", "auto", "metricsd");
  await run(old, "apt-mark", "hold", "webapp");
  old.write("/etc/ssh/ssh_host_ed25519_key", "of the old host\n", 0o600);
  old.write("/etc/cron.d/site", "0 1 * * * root true\n");
  const made = await run(old, "install.sh", "--backup", "--force");
  expect(made.exitCode, made.stderr).toBe(0);
  const was = await takeFingerprint(old.sandbox);
  for (const step of ["preflight", "download", "verify", "backup"] as StepName[])
    expect((await old.step(step)).result).toMatchObject({ outcome: "succeeded" });
  const uploaded = await run(old, "rollback.sh", "--upload-backups");
  const again = (await old.step("upload", { bucket: BUCKET })).result;
  const [complete = "", partial = ""] = /backup_\S+Z, backup_\S+Z/.exec(uploaded.stdout)?.[0].split(", ") ?? [];

  const fresh = await bench.host({ role: "failing" });
  await inCloud(fresh, "");
  fresh.write("/etc/ssh/ssh_host_ed25519_key", "of the fresh host\n", 0o600);
  fresh.write("/var/lib/otherapp/data", "of the fresh host\n");
  const fetch = (id: string) => run(fresh, "rollback.sh", "--fetch-backup", id, "--from-host", old.id);
  const fetched = [await fetch(partial), await fetch(complete)];
  const refused = await run(fresh, "rollback.sh", "--restore-system", partial, "--force");
  const unforced = await run(fresh, "rollback.sh", "--restore-system", complete);
  const before = await takeFingerprint(fresh.sandbox);
  const restored = await run(fresh, "rollback.sh", "--restore-system", complete, "--force");
  const comparison = compareFingerprints(was, await takeFingerprint(fresh.sandbox));

  expect(uploaded.exitCode, uploaded.stderr).toBe(0);
  expect(again).toMatchObject({ outcome: "nothingToDo", message: "every backup of this host is in S3 already" });
  expect(fetched.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  expect(fetched[1]?.stdout).toContain(`${complete} of ${userId} came whole`);
  expect([refused.exitCode, refused.stderr]).toEqual([
    9,
    expect.stringContaining(
      `was made by ${userId} and holds only what a change of 3 packages touches: it cannot rebuild`,
    ),
  ]);
  expect([unforced.exitCode, unforced.stderr]).toEqual([9, expect.stringContaining("(backupForeign)")]);
  expect(compareFingerprints(was, before).differences.length).toBeGreaterThan(20);
  expect(restored.stdout).toContain("the host is identical to what it was");
  expect(restored.exitCode, restored.stderr).toBe(0);
  expect(comparison.differences.map(({ path, what }) => `${path} ${what}`)).toEqual([
    "/etc/autopatch/autopatch.conf content",
    "/etc/hostname content",
    "/etc/hosts content",
    "/etc/machine-id content",
    "/etc/ssh/ssh_host_ed25519_key content",
    "/var/lib/otherapp added",
    "/var/lib/otherapp/data added",
  ]);
  expect(comparison.otherTimes.filter((path) => !LOCK_FILES.test(path))).toEqual([]);
});
