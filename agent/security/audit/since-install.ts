import type { SinceInstall } from "../../../contract/audit.ts";
import { statusDigest } from "../../backup/package-state.ts";
import { PACKAGE_SCOPE } from "../../backup/scope.ts";
import { BACKUP_FILES, backupFolder, backupIds, readInstalled } from "../../backup/store.ts";
import { onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { type Tree, untouched } from "../../host/tree.ts";
import { readTree } from "../../host/tree-file.ts";
import { SYSTEM_SCOPE } from "./alterations.ts";
import { type Checker, count, draft, type Looked, looked, notApplicable } from "./checker.ts";

const LISTED = 200;

/** What changed since the agent last looked at everything. */
export const lastInstall: Checker = {
  id: "lastInstall",
  title: "Changes since the last install",
  run: async ({ machine, facts }) => {
    const since = await sinceInstall(machine, facts.systemTree);
    return since === null ? notApplicable("AutoPatch has no record of an install here") : judgeSinceInstall(since);
  },
};

/** Pure. */
export function judgeSinceInstall(since: SinceInstall): Looked {
  const line = ({ path, what }: SinceInstall["paths"][number]) => `${path}: ${what}`;
  const programs = since.paths.filter(({ path }) => !path.startsWith("/etc/"));
  const configuration = since.paths.filter(({ path }) => path.startsWith("/etc/"));
  const when = `since AutoPatch's install of ${since.finishedAt}`;
  return looked(
    draft(
      "packagesChangedElsewhere",
      "low",
      () => `Packages were changed by something other than AutoPatch ${when}`,
      since.packagesChanged ? ["/var/lib/dpkg/status is not what the install left"] : [],
      "Read /var/log/apt/history.log and /var/log/dpkg.log",
    ),
    draft(
      "programsChangedSince",
      since.packagesChanged ? "info" : "medium",
      (n) => `${count(n, "file")} outside /etc changed ${when}`,
      programs.map(line),
      "Find out who changed them; rollback.sh --verify-system tells which differ from their packages",
    ),
    draft(
      "configurationChangedSince",
      "info",
      (n) => `${count(n, "file")} under /etc changed ${when}`,
      configuration.map(line),
      "Nothing, when the changes are yours",
    ),
  );
}

/**
 * Compares the system's folders with what the newest install of AutoPatch recorded when it ended.
 * @param look at the system's folders as they are
 * @returns null when there is no such record
 */
export async function sinceInstall(machine: Machine, look: () => Promise<Tree>): Promise<SinceInstall | null> {
  const record = backupIds(machine)
    .toReversed()
    .map((id) => readInstalled(machine, id))
    .find((one) => one !== null);
  if (record === undefined) return null;
  const then = await readTree(onMachine(machine, `${backupFolder(record.backupId)}/${BACKUP_FILES.after}`));
  const paths = compareTrees(then, await look());
  const number = (what: string) => paths.filter((one) => one.what === what).length;
  return {
    backupId: record.backupId,
    finishedAt: record.finishedAt,
    packagesChanged: statusDigest(machine) !== record.statusDigest,
    changed: number("changed"),
    appeared: number("appeared"),
    vanished: number("vanished"),
    paths: paths.slice(0, LISTED),
  };
}

/** Pure: files and links that differ, in order; what interpreters compile on their own is passed over. */
export function compareTrees(then: Tree, now: Tree): SinceInstall["paths"] {
  const tops = SYSTEM_SCOPE.tops.map((top) => `${top}/`);
  const unseen = [...then.skipped, ...now.skipped].map((one) => `${one.path}/`);
  const counts = (path: string) =>
    tops.some((top) => path.startsWith(top)) &&
    !path.includes("/__pycache__/") &&
    !(path in PACKAGE_SCOPE.leftOut) &&
    !unseen.some((folder) => path.startsWith(folder));
  const found: SinceInstall["paths"] = [];
  for (const [path, stat] of now.paths) {
    if (stat.type === "directory" || !counts(path)) continue;
    const before = then.paths.get(path);
    if (before === undefined) found.push({ path, what: "appeared" });
    else if (!untouched(before, stat)) found.push({ path, what: "changed" });
  }
  for (const [path, stat] of then.paths)
    if (stat.type !== "directory" && counts(path) && !now.paths.has(path)) found.push({ path, what: "vanished" });
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
