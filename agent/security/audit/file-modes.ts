import { statOverrides } from "../../host/dpkg-database.ts";
import type { Tree } from "../../host/tree.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

/** Files under system paths that somebody other than root may change. */
export const fileModes: Checker = {
  id: "fileModes",
  title: "Owner and mode of files under system paths",
  run: async ({ machine, facts }) => judgeFileModes(await facts.systemTree(), statOverrides(machine)),
};

/** Pure. @param meant paths whose owner and mode dpkg-statoverride records: somebody decided on them */
export function judgeFileModes(tree: Tree, meant: ReadonlySet<string>): Looked {
  const writable: string[] = [];
  const foreign: string[] = [];
  for (const [path, stat] of tree.paths) {
    if (stat.type === "link" || meant.has(path)) continue;
    const sticky = stat.type === "directory" && (stat.mode & 0o1000) !== 0;
    if ((stat.mode & 0o002) !== 0 && !sticky) writable.push(`${path} (mode ${octal(stat.mode)}, user ${stat.uid})`);
    if (stat.uid !== 0 && PROGRAMS.test(path)) foreign.push(`${path} (user ${stat.uid}, mode ${octal(stat.mode)})`);
  }
  return looked(
    draft(
      "worldWritableFiles",
      "high",
      (n) => `Everybody may write ${count(n, "system path")}`,
      writable,
      "chmod o-w PATH",
    ),
    draft(
      "foreignOwnedFiles",
      "high",
      (n) => `${count(n, "system path")} ${n === 1 ? "belongs" : "belong"} to another user than root`,
      foreign,
      "Find out why, then: chown root: PATH",
    ),
  );
}

/** Under /etc and /opt services own files by right; programs are root's. */
const PROGRAMS = /^\/(usr|bin|sbin|lib\w*|boot)(\/|$)/;

export function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
