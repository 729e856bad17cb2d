import { rmSync } from "node:fs";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Difference } from "../../contract/step-report.ts";
import { fileDigest } from "../host/file-digest.ts";
import { onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { packTar } from "../host/tar-program.ts";
import { statPath, type Tree, untouched } from "../host/tree.ts";
import { archivedMembers, openTar } from "./archive.ts";
import type { BackupEntry, Manifest, PackageState } from "./manifest.ts";
import { packageState } from "./package-state.ts";

/**
 * Compares the host with a backup: every path of the manifest and the packages, marks and holds. A file whose inode has not changed
 * since the backup is taken as read; every other one is hashed.
 * @param except paths that were deliberately left as they are
 */
export async function compareWithBackup(
  machine: Machine,
  manifest: Manifest,
  before: Tree,
  except: ReadonlySet<string>,
): Promise<Difference[]> {
  const found: Difference[] = [];
  const entries = manifest.entries.filter((entry) => !except.has(entry.path));
  for (const entry of entries) found.push(...differencesOf(machine, entry, before));
  found.push(...(await attributeDifferences(machine, entries)));
  found.push(...stateDifferences(manifest.state, await packageState(machine)));
  return found;
}

function differencesOf(machine: Machine, entry: BackupEntry, before: Tree): Difference[] {
  const { path } = entry;
  const is = statPath(machine, path);
  const was = before.paths.get(path);
  if (is === null) return [{ path, what: "missing", before: entry.type, after: null }];
  if (was !== undefined && untouched(was, is)) return [];
  if (is.type !== entry.type) return [{ path, what: "type", before: entry.type, after: is.type }];
  const pairs: [Difference["what"], string, string][] = [
    ["mode", octal(entry.mode), octal(is.mode)],
    ["owner", `${entry.uid}:${entry.gid}`, `${is.uid}:${is.gid}`],
    ["mtime", entry.mtime, is.mtime],
  ];
  if (entry.type === "link") pairs.push(["link", entry.target, is.target ?? ""]);
  if (entry.type === "file") pairs.push(["content", entry.sha256, fileDigest(onMachine(machine, path))]);
  return pairs.filter(([, a, b]) => a !== b).map(([what, a, b]) => ({ path, what, before: a, after: b }));
}

/** tar alone can read extended attributes: the few paths that had any are packed again and looked at. */
async function attributeDifferences(machine: Machine, entries: readonly BackupEntry[]): Promise<Difference[]> {
  const withAttributes = entries.filter((e) => e.xattrs !== undefined && statPath(machine, e.path)?.type === e.type);
  if (withAttributes.length === 0) return [];
  const archive = `${HOST_PATHS.backups}/.attributes.tar`;
  try {
    const paths = withAttributes.map((entry) => entry.path);
    await packTar(machine, paths, archive);
    const members = await archivedMembers(openTar(onMachine(machine, archive)));
    return withAttributes.flatMap((entry) => {
      const before = sortedJson(entry.xattrs ?? {});
      const after = sortedJson(members.get(entry.path)?.xattrs ?? {});
      return before === after ? [] : [{ path: entry.path, what: "xattrs" as const, before, after }];
    });
  } finally {
    rmSync(onMachine(machine, archive), { force: true });
  }
}

/** Pure: packages, automatic marks and holds that differ. */
export function stateDifferences(before: PackageState, after: PackageState): Difference[] {
  return [
    ...setDifferences("package", before.packages, after.packages),
    ...setDifferences("mark", before.autoMarks, after.autoMarks),
    ...setDifferences("hold", before.holds, after.holds),
  ];
}

function setDifferences(what: "package" | "mark" | "hold", before: readonly string[], after: readonly string[]) {
  const [was, is] = [new Set(before), new Set(after)];
  const named = (line: string) => line.split(" ")[0] ?? line;
  return [
    ...before.filter((line) => !is.has(line)).map((line) => ({ path: named(line), what, before: line, after: null })),
    ...after.filter((line) => !was.has(line)).map((line) => ({ path: named(line), what, before: null, after: line })),
  ];
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function sortedJson(record: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
