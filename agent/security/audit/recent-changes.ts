import type { Tree } from "../../host/tree.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

const DAYS = 7;

/** System files that changed lately, by their inodes' change time, which nobody can set back. */
export const recentChanges: Checker = {
  id: "recentChanges",
  title: "System files changed lately",
  comprehensive: true,
  run: async ({ machine, facts }) => judgeRecent(await facts.systemTree(), facts.owned(), machine.clock.now()),
};

/** Pure: the newest first. */
export function judgeRecent(tree: Tree, owned: ReadonlySet<string>, now: Date): Looked {
  const since = BigInt(now.getTime() - DAYS * 86_400_000) * 1_000_000n;
  const recent = [...tree.paths]
    .filter(([path, stat]) => stat.type === "file" && BigInt(stat.ctime) >= since && !path.includes("/__pycache__/"))
    .sort(([, a], [, b]) => (BigInt(a.ctime) < BigInt(b.ctime) ? 1 : -1));
  const line = ([path, stat]: (typeof recent)[number]) =>
    `${new Date(Number(BigInt(stat.ctime) / 1_000_000n)).toISOString()} ${path}`;
  return looked(
    draft(
      "packagedFilesRecent",
      "info",
      (n) => `${count(n, "packaged file")} changed within ${DAYS} days`,
      recent.filter(([path]) => owned.has(path)).map(line),
      "Compare with /var/log/dpkg.log",
    ),
    draft(
      "otherFilesRecent",
      "info",
      (n) => `${count(n, "system file")} of no package changed within ${DAYS} days`,
      recent.filter(([path]) => !owned.has(path)).map(line),
      "Nothing, when the changes are yours",
    ),
  );
}
