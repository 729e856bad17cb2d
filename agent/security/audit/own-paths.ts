import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { HOST_PATHS } from "../../../contract/names.ts";
import { lstatOrNull, onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { type PathStat, statPath } from "../../host/tree.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";
import { octal } from "./file-modes.ts";

/** What the agent runs and believes must be root's alone. */
export const ownPaths: Checker = {
  id: "ownPaths",
  title: "AutoPatch's own files",
  run: async ({ machine }) =>
    judgeOwnPaths(
      paths(machine).flatMap((path) => {
        const stat = statPath(machine, path);
        return stat === null ? [] : [{ path, stat }];
      }),
    ),
};

/** Pure. */
export function judgeOwnPaths(seen: readonly { readonly path: string; readonly stat: PathStat }[]): Looked {
  const wrong = seen.filter(({ stat }) => stat.type === "link" || stat.uid !== 0 || (stat.mode & 0o022) !== 0);
  return looked(
    draft(
      "ownPathsUnsafe",
      "critical",
      (n) => `${count(n, "path")} of AutoPatch ${n === 1 ? "is" : "are"} not root's alone`,
      wrong.map(({ path, stat }) =>
        stat.type === "link"
          ? `${path} is a link to ${stat.target}`
          : `${path} (user ${stat.uid}, mode ${octal(stat.mode)})`,
      ),
      "Look who made it, then remove it, or: chown root: PATH; chmod go-w PATH",
    ),
  );
}

function paths(machine: Pick<Machine, "root">): string[] {
  const folders = [HOST_PATHS.healthChecks, HOST_PATHS.logs, HOST_PATHS.work, HOST_PATHS.backups, HOST_PATHS.state];
  return [
    dirname(HOST_PATHS.executable),
    HOST_PATHS.executable,
    dirname(HOST_PATHS.config),
    HOST_PATHS.config,
    ...folders.flatMap((folder) => [folder, ...children(machine, folder)]),
  ];
}

/** The backups' `latest` is a link by design. */
function children(machine: Pick<Machine, "root">, folder: string): string[] {
  if (lstatOrNull(onMachine(machine, folder))?.isDirectory() !== true) return [];
  return readdirSync(onMachine(machine, folder))
    .map((name) => `${folder}/${name}`)
    .filter((path) => path !== `${HOST_PATHS.backups}/latest`);
}
