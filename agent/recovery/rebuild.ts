import { readdirSync } from "node:fs";
import { lstatOrNull, onMachine, ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { hasSystemd } from "../host/services.ts";
import type { Mode } from "./phases.ts";

/** Executables of the administrator's that rebuild what only they know of, such as a database's indexes. */
export const REINDEX_HOOKS = "/etc/autopatch/reindex.d";

/** A cache or index, the program that makes it anew, and the file without which there is nothing to make. */
interface Cache {
  readonly what: string;
  readonly command: readonly [file: string, ...args: string[]];
  readonly needs: string;
  readonly minutes: number;
}

const ALWAYS: readonly Cache[] = [
  { what: "libraries", command: ["ldconfig"], needs: "/sbin/ldconfig", minutes: 5 },
  {
    what: "temporary folders",
    command: ["systemd-tmpfiles", "--create"],
    needs: "/usr/bin/systemd-tmpfiles",
    minutes: 5,
  },
];
const COMPLETE: readonly Cache[] = [
  { what: "manual pages", command: ["mandb", "--quiet"], needs: "/usr/bin/mandb", minutes: 15 },
  { what: "fonts", command: ["fc-cache", "--force"], needs: "/usr/bin/fc-cache", minutes: 10 },
  { what: "certificates", command: ["update-ca-certificates"], needs: "/usr/sbin/update-ca-certificates", minutes: 5 },
  {
    what: "initramfs",
    command: ["update-initramfs", "-u", "-k", "all"],
    needs: "/usr/sbin/update-initramfs",
    minutes: 30,
  },
  { what: "boot loader", command: ["update-grub"], needs: "/boot/grub/grub.cfg", minutes: 10 },
];

/** Makes caches and indexes anew that are there on this host. @returns what was done, and what failed, in sentences */
export async function rebuildIndexes(machine: Machine, mode: Mode): Promise<{ done: string[]; failed: string[] }> {
  const done: string[] = [];
  const failed: string[] = [];
  const run = async (what: string, [file, ...args]: Cache["command"], minutes: number) => {
    const result = await machine.exec(file, args, { deadlineMs: minutes * 60_000 });
    if (result.exitCode === 0) done.push(what);
    else
      failed.push(`${what}: ${result.timedOut ? `not done in ${minutes} minutes` : result.stderr.trim().slice(-300)}`);
  };
  for (const { what, command, needs, minutes } of mode === "complete" ? [...ALWAYS, ...COMPLETE] : ALWAYS)
    if (lstatOrNull(onMachine(machine, needs)) !== null) await run(what, command, minutes);
  if (hasSystemd(machine)) await run("units", ["systemctl", "daemon-reload"], 2);
  for (const hook of hooks(machine)) await run(hook, [hook], 120);
  return { done, failed };
}

/** @throws Failure `pathUnsafe` for a folder or hook that others may write to */
function hooks(machine: Machine): string[] {
  const full = onMachine(machine, REINDEX_HOOKS);
  if (lstatOrNull(full) === null) return [];
  ownFolder(machine, REINDEX_HOOKS);
  const own = process.geteuid?.() ?? 0;
  return readdirSync(full)
    .sort()
    .filter((name) => {
      const stat = lstatOrNull(`${full}/${name}`);
      return stat?.isFile() === true && stat.uid === own && (stat.mode & 0o111) !== 0 && (stat.mode & 0o022) === 0;
    })
    .map((name) => `${REINDEX_HOOKS}/${name}`);
}
