import type { Difference } from "../../contract/step-report.ts";
import { fileDigest } from "../host/file-digest.ts";
import { onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { packTar } from "../host/tar-program.ts";
import { statPath, type Tree, untouched } from "../host/tree.ts";
import type { BackupEntry, Manifest, PackageState } from "./manifest.ts";
import { HashingReader } from "./pack.ts";
import { packageState } from "./package-state.ts";
import { packagesOwn } from "./path-set.ts";

/**
 * Compares the host with a backup: every path of the manifest and the packages, marks and holds. A file whose inode has not changed
 * since the backup is taken as read; every other one is hashed. When an application's own folder last changed is not compared: what goes in
 * and out there is its data, which a rollback leaves alone.
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
  const state = new Set(manifest.stateFolders);
  for (const entry of entries) found.push(...differencesOf(machine, entry, before, state));
  found.push(...(await attributeDifferences(machine, entries)));
  found.push(...stateDifferences(manifest.state, await packageState(machine)));
  return found;
}

function differencesOf(machine: Machine, entry: BackupEntry, before: Tree, state: ReadonlySet<string>): Difference[] {
  const { path } = entry;
  const is = statPath(machine, path);
  const was = before.paths.get(path);
  if (is === null) return [{ path, what: "missing", before: entry.type, after: null }];
  if (was !== undefined && untouched(was, is)) return [];
  if (is.type !== entry.type) return [{ path, what: "type", before: entry.type, after: is.type }];
  const pairs: [Difference["what"], string, string][] = [
    ["mode", octal(entry.mode), octal(is.mode)],
    ["owner", `${entry.uid}:${entry.gid}`, `${is.uid}:${is.gid}`],
  ];
  if (was === undefined || entry.type !== "directory" || packagesOwn(path, state))
    pairs.push(["mtime", entry.mtime, is.mtime]);
  if (entry.type === "link") pairs.push(["link", entry.target, is.target ?? ""]);
  if (entry.type === "file") pairs.push(["content", entry.sha256, fileDigest(onMachine(machine, path))]);
  return pairs.filter(([, a, b]) => a !== b).map(([what, a, b]) => ({ path, what, before: a, after: b }));
}

/** tar alone can read extended attributes: the few paths that had any are packed again and looked at. */
async function attributeDifferences(machine: Machine, entries: readonly BackupEntry[]): Promise<Difference[]> {
  const withAttributes = entries.filter((e) => e.xattrs !== undefined && statPath(machine, e.path)?.type === e.type);
  if (withAttributes.length === 0) return [];
  const found = new Map<string, string>();
  const reader = new HashingReader({ end: ({ path, xattrs }) => found.set(path, sortedJson(xattrs)) });
  const paths = withAttributes.map((entry) => entry.path);
  await packTar(machine, paths, (chunk) => reader.push(chunk));
  return withAttributes.flatMap((entry) => {
    const before = sortedJson(entry.xattrs ?? {});
    const after = found.get(entry.path) ?? "{}";
    return before === after ? [] : [{ path: entry.path, what: "xattrs" as const, before, after }];
  });
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
