import { dirname } from "node:path";
import { HOST_PATHS } from "../contract/names.ts";
import { writeInside } from "../local/hosts/inside.ts";
import { type BackupPeer, backupPeers, NUL_LIST, PATH_LIST } from "./backup-peers.ts";
import type { BenchHost } from "./bench-host.ts";
import type { Row } from "./row.ts";
import type { Stage } from "./stage.ts";

/** Milliseconds, and bytes the store grew by. */
interface Kept {
  readonly ms: number;
  readonly bytes: number;
}

/**
 * The backup of what the pending updates change, a second one of the same host, the way back after the updates, and a backup after
 * that: against peers that keep the same paths.
 */
export async function compareBackup(stage: Stage): Promise<Row[]> {
  const host = await stage.host();
  // Whoever came first would pay for reading the disk, and the peers would not.
  await host.run("find", ["/etc", "/usr", "/var/lib", "-xdev", "-type", "f", "-exec", "cksum", "{}", "+"]);
  const first = await ourBackup(host, "bench-1");
  await listPaths(host);
  const second = await ourBackup(host, "bench-2");
  const peers = [];
  for (const peer of backupPeers(stage)) peers.push({ peer, ...(await measure(host, peer)) });
  for (const step of ["install", "validate", "commit"] as const) await host.step(step, "bench-2");
  const back = await host.time("rollback.sh", ["--restore-system", "latest"]);
  const afterBack = await ourBackup(host, "bench-3");
  return [
    ...peers.map(({ peer, first: theirs }) =>
      row("backup, first", "ms", first.ms, peer, theirs.ms, peer.incremental ? null : 1.2),
    ),
    ...peers.map(({ peer, first: theirs }) =>
      row("backup, first: size, with previous .debs", "MB", mega(first), peer, mega(theirs), null),
    ),
    against("backup, second", "ms", second.ms, "our first", first.ms, 0.1),
    against("backup, second: size", "MB", mega(second), "our first", mega(first), 0.1),
    ...peers.map(({ peer, second: theirs }) => row("backup, second", "ms", second.ms, peer, theirs.ms, null)),
    against("backup after the rollback: size", "MB", mega(afterBack), "our first", mega(first), null),
    {
      what: "rollback of the updates",
      unit: "ms",
      ours: back,
      peer: null,
      aim: { of: "ours", at: "most", value: 3_000 },
    },
    ...peers.map(({ peer, restored }) =>
      row("rollback, against a restore", "ms", back, peer, restored, peer.incremental ? null : 1),
    ),
  ];
}

async function ourBackup(host: BenchHost, runId: string): Promise<Kept> {
  for (const step of ["preflight", "download", "verify"] as const) await host.step(step, runId);
  await host.run("mkdir", ["-p", HOST_PATHS.backups]);
  return growth(host, HOST_PATHS.backups, () => host.step("backup", runId));
}

/** What the newest backup holds, for the peers to keep the very same. */
async function listPaths(host: BenchHost): Promise<void> {
  const { stdout } = await host.run("cat", [`${HOST_PATHS.backups}/latest/manifest.json`]);
  const { entries } = JSON.parse(stdout) as { entries: { path: string; type: string }[] };
  const paths = entries.filter((entry) => entry.type !== "directory").map((entry) => entry.path);
  await host.run("mkdir", ["-p", dirname(PATH_LIST)]);
  writeInside(host.host.sandbox.root, PATH_LIST, paths.map((path) => `${path}\n`).join(""));
  writeInside(host.host.sandbox.root, NUL_LIST, paths.map((path) => `${path}\0`).join(""));
}

async function measure(host: BenchHost, peer: BackupPeer): Promise<{ first: Kept; second: Kept; restored: number }> {
  await peer.prepare(host);
  const first = await growth(host, peer.store, () => peer.backUp(host, 1));
  const second = await growth(host, peer.store, () => peer.backUp(host, 2));
  const into = "/var/tmp/peers/restored";
  await host.run("mkdir", [into]);
  const restored = await peer.restore(host, into);
  await host.run("rm", ["-r", into]);
  return { first, second, restored };
}

async function growth(host: BenchHost, store: string, work: () => Promise<number>): Promise<Kept> {
  const before = await host.bytes(store);
  const ms = await work();
  return { ms, bytes: (await host.bytes(store)) - before };
}

function mega({ bytes }: Kept): number {
  return bytes / 1e6;
}

function row(
  what: string,
  unit: Row["unit"],
  ours: number,
  peer: BackupPeer,
  theirs: number,
  limit: number | null,
): Row {
  return against(what, unit, ours, peer.name, theirs, limit);
}

function against(
  what: string,
  unit: Row["unit"],
  ours: number,
  name: string,
  value: number,
  limit: number | null,
): Row {
  const aim = limit === null ? null : ({ of: "ratio", at: "most", value: limit } as const);
  return { what, unit, ours, peer: { name, value }, aim };
}
