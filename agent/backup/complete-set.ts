import type { Tree } from "../host/tree.ts";
import { byPath, type PathSet } from "./path-set.ts";

/** Where packages do not write, and people do. */
const NOT_LOOKED_AT = ["/home", "/root", "/srv"];

/** What a complete backup holds: everything that a look at the host finds. Pure. */
export function completeSet(before: Tree): PathSet {
  const skipped = new Set(before.skipped.map(({ path }) => path));
  const present = [...before.paths].flatMap(([path, { type }]) =>
    type === "other" || skipped.has(path) ? [] : [path],
  );
  const notCovered = [
    ...before.skipped.map(({ path, why }) => ({ path, why })),
    ...NOT_LOOKED_AT.map((path) => ({ path, why: "not looked at: packages do not write there" })),
  ];
  return { present: present.sort(byPath), absent: [], notCovered };
}
