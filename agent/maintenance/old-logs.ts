import { lstatSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { HOST_PATHS } from "../../contract/names.ts";
import { fileTime } from "../host/clock.ts";
import { onMachine, ownFolder, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import type { Found } from "./code.ts";

const ARCHIVE = `${HOST_PATHS.logs}/archive`;
const DAY_MS = 86_400_000;
const ARCHIVED_AFTER = 30 * DAY_MS;
const REMOVED_AFTER = 365 * DAY_MS;
/** Summaries, reports and what logrotate put aside. The logs that are written to stay: violations are counted in them. */
const FINISHED = /_\d{8}T\d{6}Z\.(txt|json|html)$|\.log\.\d+(\.gz)?$/;

/** Packs what is older than thirty days into the folder `archive`, and removes from there what is older than a year. */
export function archiveOldLogs(machine: Machine): Found {
  ownFolder(machine, HOST_PATHS.logs);
  ownFolder(machine, ARCHIVE);
  const now = machine.clock.now().getTime();
  const older = (folder: string, ageMs: number) =>
    readdirSync(onMachine(machine, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => ({ name: entry.name, stat: lstatSync(onMachine(machine, `${folder}/${entry.name}`)) }))
      .filter(({ stat }) => now - stat.mtimeMs > ageMs);
  const packed = older(HOST_PATHS.logs, ARCHIVED_AFTER).filter(({ name }) => FINISHED.test(name));
  for (const { name, stat } of packed) {
    const content = readFileSync(onMachine(machine, `${HOST_PATHS.logs}/${name}`));
    const target = `${ARCHIVE}/${archivedName(name, stat.mtime)}`;
    writeOwn(machine, target, name.endsWith(".gz") ? content : gzipSync(content));
    utimesSync(onMachine(machine, target), stat.atime, stat.mtime);
    rmSync(onMachine(machine, `${HOST_PATHS.logs}/${name}`));
  }
  const gone = older(ARCHIVE, REMOVED_AFTER);
  for (const { name } of gone) rmSync(onMachine(machine, `${ARCHIVE}/${name}`));
  return {
    text: `${packed.length} files archived in ${ARCHIVE}, ${gone.length} of more than a year removed\n`,
    problem: null,
  };
}

/** logrotate's numbers come again every month: by its last line's time no log takes the place of another. */
function archivedName(name: string, last: Date): string {
  const [, log, number] = /^(.*)\.log\.(\d+)(?:\.gz)?$/.exec(name) ?? [];
  return number === undefined ? `${name}.gz` : `${log}_${fileTime(last)}.log.gz`;
}
