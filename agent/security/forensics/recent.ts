import { type Dirent, lstatSync, readdirSync } from "node:fs";
import { onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";

export interface ChangedFile {
  readonly path: string;
  /** When its inode last changed, which nobody can set back. */
  readonly changed: string;
  readonly modified: string;
  readonly mode: string;
  readonly owner: string;
  readonly size: number;
}

const TOPS = [
  "/etc",
  "/usr",
  "/opt",
  "/boot",
  "/root",
  "/home",
  "/srv",
  "/tmp",
  "/var/tmp",
  "/dev/shm",
  "/var/spool",
  "/var/www",
];
const DAYS = 7;
/** The newest of them are kept when there are more. */
const MOST = 20_000;
const MOST_VISITED = 2_000_000;

/** Files, links and devices whose inode changed in the last seven days, newest first. */
export function recentlyChanged(machine: Pick<Machine, "root"> & Pick<Machine, "clock">): ChangedFile[] {
  const since = machine.clock.now().getTime() - DAYS * 86_400_000;
  const found: { path: string; ctimeMs: number }[] = [];
  let visited = 0;
  const visit = (folder: string): void => {
    for (const entry of entriesOf(onMachine(machine, folder))) {
      if (++visited > MOST_VISITED) return;
      const path = `${folder}/${entry.name}`;
      const stat = lstatSync(onMachine(machine, path), { throwIfNoEntry: false });
      if (stat === undefined) continue;
      if (stat.isDirectory()) visit(path);
      else if (stat.ctimeMs >= since) found.push({ path, ctimeMs: stat.ctimeMs });
    }
  };
  for (const top of TOPS) visit(top);
  return found
    .sort((a, b) => b.ctimeMs - a.ctimeMs)
    .slice(0, MOST)
    .flatMap(({ path }) => {
      const stat = lstatSync(onMachine(machine, path), { throwIfNoEntry: false });
      if (stat === undefined) return [];
      return [
        {
          path,
          changed: stat.ctime.toISOString(),
          modified: stat.mtime.toISOString(),
          mode: (stat.mode & 0o7777).toString(8).padStart(4, "0"),
          owner: `${stat.uid}:${stat.gid}`,
          size: stat.size,
        },
      ];
    });
}

function entriesOf(full: string): Dirent[] {
  try {
    return readdirSync(full, { withFileTypes: true });
  } catch {
    return [];
  }
}
