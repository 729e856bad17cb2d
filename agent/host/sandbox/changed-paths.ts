import { readdirSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileDigest } from "../file-digest.ts";
import { lstatOrNull } from "../files.ts";
import type { Sandbox } from "./sandbox.ts";

/**
 * Paths whose content, properties or existence differ between a clone of this machine and the machine, folders that only carry others left
 * out. Folders are entered by lstat alone, so that no link of the clone leads anywhere.
 */
export function changedPaths(sandbox: Pick<Sandbox, "uppers" | "root">): string[] {
  return [...sandbox.uppers]
    .flatMap(([at, upper]) => {
      const folder = at === "/" ? "" : at;
      const isCopy = lstatOrNull(join(dirname(upper), "copied")) !== null;
      return isCopy ? changedCopy(upper, folder) : changedLayer(upper, sandbox.root, folder);
    })
    .sort();
}

/** What lies in the upper layer of an overlay is what changed. */
function changedLayer(upper: string, root: string, at: string): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(join(upper, path))) {
      const below = `${path}/${name}`;
      const seen = `${at}${below}`;
      const isFolder = lstatOrNull(join(upper, below))?.isDirectory() === true;
      const was = lstatOrNull(seen);
      if (!isFolder || was?.isDirectory() !== true) found.push(seen);
      if (!isFolder) continue;
      visit(below);
      if (was?.isDirectory() !== true) continue;
      // A folder that was removed and made anew hides the machine's without a mark for each name.
      const now = new Set(readdirSync(join(root, seen)));
      const marked = new Set(readdirSync(join(upper, below)));
      for (const gone of readdirSync(seen)) if (!now.has(gone) && !marked.has(gone)) found.push(`${seen}/${gone}`);
    }
  };
  visit("");
  return found;
}

/** A file system that could be no layer was copied as a whole: path by path it is held against the machine's. */
function changedCopy(copy: string, at: string): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    const [is, was] = [join(copy, path), `${at}${path}`];
    for (const name of new Set([...readdirSync(is), ...readdirSync(was)])) {
      const below = `${path}/${name}`;
      const isFolder = lstatOrNull(join(copy, below))?.isDirectory() === true;
      const wasFolder = lstatOrNull(`${at}${below}`)?.isDirectory() === true;
      if (isFolder && wasFolder) visit(below);
      else if (isFolder || wasFolder || differs(join(copy, below), `${at}${below}`)) found.push(`${at}${below}`);
    }
  };
  visit("");
  return found;
}

function differs(one: string, other: string): boolean {
  const [a, b] = [lstatOrNull(one), lstatOrNull(other)];
  if (a === null || b === null) return a !== b;
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid || a.size !== b.size || a.mtimeMs !== b.mtimeMs)
    return true;
  if (a.isSymbolicLink()) return readlinkSync(one) !== readlinkSync(other);
  return a.isFile() && fileDigest(one) !== fileDigest(other);
}
