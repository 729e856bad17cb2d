import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import * as z from "zod";
import { VIOLATION_MARKER } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { codeOf, onMachine, ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

const STATE = `${HOST_PATHS.state}/violations-seen.json`;

/** How far each log was counted, by its inode: a rotated log keeps it. */
const Seen = z.object({
  format: z.literal(1),
  total: z.int().nonnegative(),
  logs: z.record(z.string(), z.int().nonnegative()),
});
type Seen = z.infer<typeof Seen>;

/**
 * Security violations that were ever logged, as a counter that never falls: each line with the marker counts once, whoever wrote it,
 * and stays counted when its log is rotated, cut or removed. A log that is rotated and compressed between two looks is lost from
 * where it was last read: rotate with delaycompress.
 */
export function countViolations(machine: Pick<Machine, "root">): number {
  const before = readSeen(machine);
  const logs: Record<string, number> = {};
  let total = before.total;
  for (const name of logNames(machine)) {
    const full = onMachine(machine, `${HOST_PATHS.logs}/${name}`);
    const stat = statSync(full, { throwIfNoEntry: false });
    if (stat?.isFile() !== true) continue;
    const inode = String(stat.ino);
    const from = before.logs[inode] ?? 0;
    // Shorter than it was: cut by copytruncate, or another file with the number of one that is gone.
    const { count, end } = countFrom(full, from <= stat.size ? from : 0);
    total += count;
    logs[inode] = end;
  }
  if (total !== before.total || JSON.stringify(logs) !== JSON.stringify(before.logs)) {
    ownFolder(machine, HOST_PATHS.state, 0o700);
    writeOwn(machine, STATE, `${JSON.stringify({ format: 1, total, logs } satisfies Seen)}\n`, 0o600);
  }
  return total;
}

function readSeen(machine: Pick<Machine, "root">): Seen {
  const text = readOwn(machine, STATE);
  if (text === null) return { format: 1, total: 0, logs: {} };
  const parsed = Seen.safeParse(JSON.parse(text));
  if (!parsed.success) throw new Error(`${STATE} cannot be read: ${z.prettifyError(parsed.error)}; remove it`);
  return parsed.data;
}

/** Logs, and the last rotation of each, which is not compressed yet. */
function logNames(machine: Pick<Machine, "root">): string[] {
  try {
    return readdirSync(onMachine(machine, HOST_PATHS.logs))
      .filter((name) => /\.log(\.1|-\d{8})?$/.test(name))
      .sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

const CHUNK = 1 << 20;

/** Whole lines only: one that is being written counts when it is complete. */
function countFrom(full: string, from: number): { count: number; end: number } {
  const fd = openSync(full, "r");
  try {
    const chunk = Buffer.alloc(CHUNK);
    let end = from;
    let count = 0;
    let rest = Buffer.alloc(0);
    for (let at = from; ; ) {
      const got = readSync(fd, chunk, 0, CHUNK, at);
      if (got === 0) return { count, end };
      at += got;
      const text = Buffer.concat([rest, chunk.subarray(0, got)]);
      const whole = text.lastIndexOf(0x0a) + 1;
      const lines = text.subarray(0, whole).toString("utf8").split("\n");
      count += lines.filter((line) => line.includes(VIOLATION_MARKER)).length;
      end += whole;
      rest = Buffer.from(text.subarray(whole));
    }
  } finally {
    closeSync(fd);
  }
}
