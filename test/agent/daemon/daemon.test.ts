import { existsSync, statSync } from "node:fs";
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { type Imds, openImds } from "../../../local/endpoints/imds/imds.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { clientOptions } from "../../local/endpoints/clients.ts";
import { ACCOUNT, BUCKET, OPERATOR, REGION, type Running, runEndpoint, TOPIC } from "../../local/endpoints/running.ts";
import { type BootedAgentHost, type BootedBench, openBootedBench } from "../booted.ts";
import { propertyOf } from "../patch/booted-packages.ts";
import { reachFrom } from "../reach.ts";
import { until } from "../until.ts";

const UNIT = "autopatch-daemon.service";
const METRICS = "/var/lib/node_exporter/textfile_collector/autopatch.prom";
const LOG = `${HOST_PATHS.logs}/daemon.log`;
/** A round is a few calls of the agent; a busy machine makes each slow. */
const ROUND_MS = 60_000;

let bench: BootedBench;
let host: BootedAgentHost;
let running: Running;
let imds: Imds;
let way: { close(): void };
beforeAll(async () => {
  bench = await openBootedBench();
  host = await bench.host();
  running = await runEndpoint();
  const role = { role: "autopatch-host", credentials: OPERATOR };
  imds = await openImds({ instanceId: host.id, account: ACCOUNT, region: REGION, ...role });
  way = await reachFrom(host.booted.pid, [running.url, imds.url]);
  host.write(
    HOST_PATHS.config,
    `AWS_REGION=${REGION}\nAWS_ENDPOINT_URL=${running.url}\nAWS_EC2_METADATA_SERVICE_ENDPOINT=${imds.url}\nAUTOPATCH_BUCKET=${BUCKET}\nAUTOPATCH_ALERT_TOPIC=${TOPIC}\n`,
    0o600,
  );
  // Nothing can be asked of a mirror here.
  await host.run("sh", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*");
  const backup = await host.run("install.sh", "--backup", "--force");
  if (backup.exitCode !== 0) throw new Error(backup.stderr);
});
afterAll(async () => {
  way?.close();
  await imds?.close();
  await running?.stop();
  await bench?.close();
});

const state = async () => (await host.run("systemctl", "is-active", UNIT)).stdout.trim();
const mainPid = async () => Number(await propertyOf(host, UNIT, "MainPID"));
const written = () => {
  const path = inside(host.root, METRICS);
  return existsSync(path) ? statSync(path).mtimeMs : 0;
};
const newest = async () => (await host.run("readlink", "-f", `${HOST_PATHS.backups}/latest`)).stdout.trim();

/** Starts the daemon anew, which does a round at once, and waits until that has looked and written. */
async function nextRound(): Promise<void> {
  const before = written();
  expect((await host.run("systemctl", "restart", UNIT)).stderr).toBe("");
  await until("a round", ROUND_MS, () => written() > before);
}

test("enabled, it starts, writes metrics that another user reads, and takes the new backup off the host", async () => {
  const s3 = new S3Client({ ...clientOptions(running), forcePathStyle: true });
  const keys = async () =>
    ((await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: "backups/" }))).Contents ?? []).map(
      (o) => o.Key,
    );
  expect([await state(), await keys()]).toEqual(["inactive", []]);

  const enabled = await host.run("autopatch-manager.sh", "manage-daemon", "--install", "--enable");
  const id = (await newest()).split("/").at(-1);
  await until("the upload", ROUND_MS, async () => (await keys()).includes(`backups/AIDAOPERATOR/index/${id}.json`));
  const other = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const read = await host.run("setpriv", ...(other as [string, string, string]), "cat", METRICS);
  s3.destroy();

  expect({ exit: enabled.exitCode, state: await state() }).toEqual({ exit: 0, state: "active" });
  expect(read.exitCode, read.stderr).toBe(0);
  expect(read.stdout).toMatch(/^autopatch_daemon_status 1$/m);
  expect(read.stdout).toMatch(/^autopatch_backups_total 1$/m);
  expect(host.read(LOG)).not.toMatch(/ WARN | ERROR /);
});

test("it can write its own state and the metrics, and nowhere else; it has no right it does not need", async () => {
  const pid = String(await mainPid());
  const places = ["/etc", "/usr", "/boot", "/root", "/var/lib", "/var/lib/dpkg", "/var/tmp", HOST_PATHS.backups];
  const own = [HOST_PATHS.state, HOST_PATHS.logs, "/var/lib/node_exporter", "/var/cache/apt"];
  const tryEach = `for place in "$@"; do if (: > "$place/probe") 2> /dev/null; then rm "$place/probe"; echo "$place"; fi; done`;
  const answer = await host.run("nsenter", "-t", pid, "-m", "sh", "-c", tryEach, "sh", ...places, ...own);
  const status = host.read(`/proc/${pid}/status`);
  const judged = await host.run("systemd-analyze", "security", "--no-pager", "--threshold=35", UNIT);

  expect(answer.stdout.trim().split("\n")).toEqual(own);
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(status).toMatch(/^Seccomp:\t2$/m);
  // chown, dac_override, dac_read_search, fowner, kill, sys_ptrace.
  expect(Number.parseInt(/^CapBnd:\t(\w+)$/m.exec(status)?.[1] ?? "", 16) & ~0x8002f).toBe(0);
  expect(judged.exitCode, judged.stdout.trim().split("\n").at(-1)).toBe(0);
});

test("between two rounds it does nothing at all", async () => {
  const pid = await mainPid();
  await until("the end of the round", ROUND_MS, () => host.read(`/proc/${pid}/task/${pid}/children`).trim() === "");
  const ticks = () => host.read(`/proc/${pid}/stat`).split(") ")[1]?.split(" ").slice(11, 13).map(Number);
  const before = ticks();
  await new Promise((resolve) => setTimeout(resolve, 3_000));

  expect(ticks()).toEqual(before);
  expect(host.read(`/proc/${pid}/task/${pid}/children`).trim()).toBe("");
});

test("a host that is not well any more, and well again, is told once each, in the log and to the topic", async () => {
  const archive = `${await newest()}/files.tar.zst`;
  await host.run("cp", "-a", archive, "/root/whole");
  await host.run("truncate", "--size=100", archive);

  await nextRound();
  await nextRound();
  const ill = running.topics.messages.map(({ subject }) => subject);
  await host.run("cp", "-a", "/root/whole", archive);
  await nextRound();
  const messages = running.topics.messages;

  expect(ill).toEqual([`AutoPatch: booted-1 (${host.id}): not healthy`]);
  expect(messages.map(({ topicArn, subject }) => [topicArn, subject])).toEqual([
    [TOPIC, `AutoPatch: booted-1 (${host.id}): not healthy`],
    [TOPIC, `AutoPatch: booted-1 (${host.id}): healthy again`],
  ]);
  expect(messages[0]?.message).toContain("the newest backup cannot be used: ");
  const told = host.read(LOG).match(/(?<= )health: .*/gm);
  expect(told).toEqual([expect.stringMatching(/cannot be used: .*files\.tar\.zst/), "health: it is well again"]);
});

test("killed it comes back, stopped it is gone, and it outlives a reboot", async () => {
  const first = await mainPid();
  await host.run("sh", "-c", 'kill -9 "$1"', "sh", String(first));
  await until(
    "the restart",
    ROUND_MS,
    async () => ![0, first].includes(await mainPid()) && (await state()) === "active",
  );
  const restarts = await propertyOf(host, UNIT, "NRestarts");
  const stopped = await host.run("systemctl", "stop", UNIT);
  const after = [await state(), await propertyOf(host, UNIT, "Result"), await mainPid()];
  const left = (await host.run("ps", "-e", "-o", "args=")).stdout;
  await host.booted.reboot();

  expect(restarts).toBe("1");
  expect({ exit: stopped.exitCode, after }).toEqual({ exit: 0, after: ["inactive", "success", 0] });
  expect(left).not.toContain("autopatch daemon");
  expect([await state(), (await mainPid()) > 0]).toEqual(["active", true]);
});
