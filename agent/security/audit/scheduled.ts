import { readdirSync } from "node:fs";
import { lstatOrNull, onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { type PathStat, statPath } from "../../host/tree.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";
import { octal } from "./file-modes.ts";

const SYSTEM = ["/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"];
const USERS = ["/var/spool/cron/crontabs", "/var/spool/cron/atjobs"];

/** What cron and at will run. */
export const scheduled: Checker = {
  id: "scheduled",
  title: "Entries of cron and at",
  comprehensive: true,
  run: async ({ machine, facts }) => {
    const paths = ["/etc/crontab", ...[...SYSTEM, ...USERS].flatMap((folder) => filesIn(machine, folder))];
    const seen = paths.flatMap((path) => {
      const stat = statPath(machine, path);
      return stat === null ? [] : [{ path, stat }];
    });
    return judgeScheduled(seen, facts.owned());
  },
};

/** Pure. */
export function judgeScheduled(
  seen: readonly { readonly path: string; readonly stat: PathStat }[],
  owned: ReadonlySet<string>,
): Looked {
  const system = seen.filter((one) => !USERS.some((folder) => one.path.startsWith(`${folder}/`)));
  const users = seen.filter((one) => !system.includes(one));
  const line = ({ path, stat }: (typeof seen)[number]) => `${path} (user ${stat.uid}, mode ${octal(stat.mode)})`;
  return looked(
    draft(
      "scheduledWritable",
      "critical",
      (n) => `Others than root may change ${count(n, "entry", "entries")} that cron runs as root`,
      system.filter(({ stat }) => stat.type === "file" && (stat.uid !== 0 || (stat.mode & 0o022) !== 0)).map(line),
      "chown root: PATH; chmod go-w PATH; then read it",
    ),
    draft(
      "scheduledNotPackaged",
      "low",
      (n) => `${count(n, "entry", "entries")} of cron came from no package`,
      system.filter(({ path }) => !owned.has(path)).map(line),
      "Nothing, when they are yours",
    ),
    draft(
      "scheduledByUsers",
      "info",
      (n) => `${count(n, "entry", "entries")} of users' own crontabs and at jobs`,
      users.map(line),
      "crontab -l -u USER and at -c JOB show them",
    ),
  );
}

function filesIn(machine: Pick<Machine, "root">, folder: string): string[] {
  if (lstatOrNull(onMachine(machine, folder))?.isDirectory() !== true) return [];
  return readdirSync(onMachine(machine, folder))
    .filter((name) => !name.startsWith("."))
    .sort()
    .map((name) => `${folder}/${name}`);
}
