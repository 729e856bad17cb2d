import { HOST_PATHS } from "../../contract/names.ts";
import type { PathStat, Tree } from "../host/tree.ts";
import type { BackupEntry, Manifest } from "./manifest.ts";
import { byPath, packagesOwn, within } from "./path-set.ts";
import type { RestorePlan } from "./restore-plan.ts";

/** What is known when another machine's backup is to make this one what that was. */
export interface RebuildFacts {
  readonly manifest: Manifest;
  /** The other machine when the backup was made. */
  readonly before: Tree;
  /** This machine. */
  readonly now: Tree;
  /** Paths whose content here is the backup's; what lstat cannot tell between two machines. */
  readonly sameContent: ReadonlySet<string>;
  /** Folders under /var/lib that belong to packages which only this machine has. */
  readonly stateFolders: ReadonlySet<string>;
}

/** What makes a machine itself and no other: it stays as it is here, whatever the backup says. */
const IDENTITY = [
  "/etc/machine-id",
  "/var/lib/dbus/machine-id",
  "/etc/hostname",
  "/etc/hosts",
  "/etc/mailname",
  "/etc/fstab",
  "/etc/crypttab",
  "/etc/resolv.conf",
  "/etc/network",
  "/etc/netplan",
  "/etc/systemd/network",
  "/etc/NetworkManager/system-connections",
  "/etc/udev/rules.d/70-persistent-net.rules",
  "/var/lib/cloud",
  "/var/lib/systemd/random-seed",
  "/etc/amazon",
  // The boot loader knows this machine's disks.
  "/boot/grub",
  "/boot/efi",
];
/** The fleet configured this host's agent, not the other's; health checks are its packages'. */
const AGENT = "/etc/autopatch";
const HOST_KEY = /^\/etc\/ssh\/ssh_host_[^/]*$/;
/** Never emptied: this machine boots from there until it is told otherwise. */
const BOOTED = ["/boot", "/usr/lib/modules", "/lib/modules"];

const OWN = "this machine's own";
const DATA = "not of a package, and not in the backup";

/** Whether a path stays this machine's own. Pure. */
export function isIdentity(path: string): boolean {
  if (within(path, AGENT)) return path !== AGENT && !within(path, HOST_PATHS.healthChecks);
  return HOST_KEY.test(path) || IDENTITY.some((own) => within(path, own));
}

/** Pure: files that look alike by lstat, so that only their content can tell. */
export function toHash(manifest: Manifest, now: Tree): (BackupEntry & { type: "file" })[] {
  return manifest.entries.filter((entry): entry is BackupEntry & { type: "file" } => {
    const is = now.paths.get(entry.path);
    return entry.type === "file" && is !== undefined && alike(entry, is) && !isIdentity(entry.path);
  });
}

/** Decides what must be done so that this machine is what the other one was. Pure. */
export function planRebuild(facts: RebuildFacts): RestorePlan {
  const { manifest, before, now, sameContent, stateFolders } = facts;
  const putBack: BackupEntry[] = [];
  const folders: BackupEntry[] = [];
  const kept: { path: string; why: string }[] = [];
  const skipped = [...before.skipped, ...now.skipped].map(({ path }) => path);
  const isSkipped = (path: string) => skipped.some((folder) => within(path, folder));
  for (const entry of manifest.entries) {
    const is = now.paths.get(entry.path);
    if (isIdentity(entry.path)) kept.push({ path: entry.path, why: OWN });
    else if (is !== undefined && alike(entry, is) && (entry.type !== "file" || sameContent.has(entry.path))) continue;
    else (entry.type === "directory" ? folders : putBack).push(entry);
  }
  const remove = new Set<string>();
  const stays = new Set<string>();
  for (const path of now.paths.keys()) {
    if (before.paths.has(path) || isSkipped(path)) continue;
    if (isIdentity(path) || BOOTED.some((folder) => within(path, folder))) stays.add(path);
    else if (packagesOwn(path, stateFolders)) remove.add(path);
    else {
      stays.add(path);
      kept.push({ path, why: DATA });
    }
  }
  for (const path of [...stays, ...skipped])
    for (let up = path.lastIndexOf("/"); up > 0; up = path.lastIndexOf("/", up - 1)) remove.delete(path.slice(0, up));
  return {
    putBack,
    folders: folders.sort((a, b) => byPath(a.path, b.path)),
    remove: [...remove].sort((a, b) => byPath(b, a)),
    kept: kept.sort((a, b) => byPath(a.path, b.path)),
    edits: [],
    uncovered: [],
  };
}

function alike(entry: BackupEntry, is: PathStat): boolean {
  if (entry.type !== is.type || entry.mode !== is.mode || entry.uid !== is.uid || entry.gid !== is.gid) return false;
  if (entry.xattrs !== undefined || entry.mtime !== is.mtime) return false;
  if (entry.type === "file") return entry.size === is.size;
  return entry.type === "directory" || entry.target === is.target;
}
