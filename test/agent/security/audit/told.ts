import type { PathStat, Tree } from "../../../../agent/host/tree.ts";
import type { Looked } from "../../../../agent/security/audit/checker.ts";

/** Id, severity and evidence of each finding. */
export function told(result: Looked): unknown {
  return result.kind === "looked"
    ? result.findings.map(({ id, severity, evidence }) => [severity, id, ...evidence])
    : [result.kind, result.reason];
}

export const NOW = new Date("2026-11-25T00:00:00Z");

const FILE: PathStat = {
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 1,
  mtime: "0",
  ctime: "0",
  target: null,
  shared: null,
};

/** A look at files that differ from an empty one of root's in what is given. */
export const treeOf = (paths: Record<string, Partial<PathStat>>, skipped: Tree["skipped"] = []): Tree => ({
  paths: new Map(Object.entries(paths).map(([path, stat]) => [path, { ...FILE, ...stat }])),
  skipped,
});
