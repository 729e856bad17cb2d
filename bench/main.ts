import { writeFileSync } from "node:fs";
import { compareBackup } from "./backup.ts";
import { compareCheck } from "./check.ts";
import { measureDaemon } from "./daemon.ts";
import { compareHashing } from "./hashing.ts";
import { compareLambdas } from "./lambdas.ts";
import { BenchUsage, parseBenchOptions } from "./options.ts";
import { compareRehearsal } from "./rehearsal.ts";
import { isMet, type Row, ratio } from "./row.ts";
import { measureSize } from "./size.ts";
import { openStage, type Stage } from "./stage.ts";
import { compareStart } from "./start.ts";
import { compareStatus } from "./status.ts";
import { formatTable } from "./table.ts";
import { compareVerify } from "./verify.ts";
import { compareWindow } from "./window.ts";

type Comparison = (open: () => Promise<Stage>) => Promise<Row[]>;

/** `npm run bench [-- NAME…] [--json FILE]`: ratios against named peers on the same host and packages, in one run. */
const COMPARISONS = {
  check: async (open) => compareCheck(await open()),
  hashing: compareHashing,
  verify: async (open) => compareVerify(await open()),
  backup: async (open) => compareBackup(await open()),
  window: async (open) => compareWindow(await open()),
  rehearsal: async (open) => compareRehearsal(await open()),
  start: async (open) => compareStart(await open()),
  status: async (open) => compareStatus(await open()),
  daemon: async (open) => measureDaemon(await open()),
  size: measureSize,
  lambdas: compareLambdas,
} as const satisfies Record<string, Comparison>;

async function main(): Promise<void> {
  const { names, json } = parseBenchOptions(
    process.argv.slice(2),
    Object.keys(COMPARISONS) as (keyof typeof COMPARISONS)[],
  );
  let stage: Promise<Stage> | undefined;
  const open = () => (stage ??= openStage(say));
  try {
    const rows: Row[] = [];
    for (const name of names) {
      say(name);
      try {
        rows.push(...(await COMPARISONS[name](open)));
      } catch (error) {
        // What the others measured is not lost with it.
        say(`${name}: ${(error as Error).stack}`);
        process.exitCode = 1;
      }
    }
    const skipped = (await stage)?.skipped ?? [];
    process.stdout.write(formatTable(rows, skipped));
    if (json === null) return;
    const judged = rows.map((row) => ({ ...row, ratio: ratio(row), met: isMet(row) }));
    writeFileSync(json, `${JSON.stringify({ rows: judged, skipped }, null, 2)}\n`);
  } finally {
    await (await stage?.catch(() => undefined))?.close();
  }
}

function say(phase: string): void {
  process.stderr.write(`bench: ${phase}\n`);
}

main().catch((error: unknown) => {
  const message = error instanceof BenchUsage ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`bench: ${message}\n`);
  process.exitCode = error instanceof BenchUsage ? 2 : 1;
});
