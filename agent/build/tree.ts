import { chmodSync, copyFileSync, lutimesSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What lies at a path: all of it, so that a tree is the same whoever lays it. Modes are given in full. */
export type TreeEntry =
  | { readonly path: string; readonly kind: "folder"; readonly mode: number }
  | { readonly path: string; readonly kind: "file"; readonly mode: number; readonly content: string | Uint8Array }
  | { readonly path: string; readonly kind: "copy"; readonly mode: number; readonly from: string }
  | { readonly path: string; readonly kind: "link"; readonly target: string };

/**
 * Lays entries out in a folder, whatever the umask. Folders on the way that have no entry of their own get 0755.
 * @param time of every file, folder and link, in seconds since 1970. @default now
 */
export function layTree(dir: string, entries: readonly TreeEntry[], time?: number): void {
  const folders = new Map([["/", 0o755]]);
  for (const entry of entries) {
    for (let at = dirname(entry.path); at !== "/"; at = dirname(at)) if (!folders.has(at)) folders.set(at, 0o755);
    if (entry.kind === "folder") folders.set(entry.path, entry.mode);
  }
  for (const [path, mode] of [...folders].sort(([a], [b]) => (a < b ? -1 : 1))) {
    mkdirSync(join(dir, path), { recursive: true });
    chmodSync(join(dir, path), mode);
  }
  for (const entry of entries) {
    const at = join(dir, entry.path);
    if (entry.kind === "link") symlinkSync(entry.target, at);
    if (entry.kind === "copy") copyFileSync(entry.from, at);
    if (entry.kind === "file") writeFileSync(at, entry.content);
    if (entry.kind === "copy" || entry.kind === "file") chmodSync(at, entry.mode);
    if (time !== undefined && entry.kind !== "folder") lutimesSync(at, time, time);
  }
  if (time === undefined) return;
  for (const path of folders.keys()) utimesSync(join(dir, path), time, time);
}
