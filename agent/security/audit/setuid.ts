import type { Tree } from "../../host/tree.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";
import { octal } from "./file-modes.ts";

/** Programs that run with another user's rights and that no package brought. */
export const setuid: Checker = {
  id: "setuid",
  title: "Set-user-id programs that no package brought",
  run: async ({ facts }) => judgeSetuid(await facts.systemTree(), facts.owned()),
};

/** Pure. */
export function judgeSetuid(tree: Tree, owned: ReadonlySet<string>): Looked {
  const found = [...tree.paths].filter(([path, stat]) => stat.type === "file" && !owned.has(path));
  const named = (bit: number) =>
    found
      .filter(([, stat]) => (stat.mode & bit) !== 0 && (stat.mode & 0o111) !== 0)
      .map(([path, stat]) => `${path} (user ${stat.uid}, group ${stat.gid}, mode ${octal(stat.mode)})`);
  return looked(
    draft(
      "setuidNotPackaged",
      "critical",
      (n) => `${count(n, "set-user-id program")} came from no package`,
      named(0o4000),
      "Find out what it is; if nobody knows: chmod u-s PATH",
    ),
    draft(
      "setgidNotPackaged",
      "medium",
      (n) => `${count(n, "set-group-id program")} came from no package`,
      named(0o2000),
      "Find out what it is; if nobody knows: chmod g-s PATH",
    ),
  );
}
