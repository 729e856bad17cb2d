import { cpSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { exec } from "../agent/host/exec.ts";
import { withBundles } from "../infra/constructs/bundles.ts";
import { FLEET_FUNCTIONS } from "../infra/constructs/fleet-functions.ts";
import { median, type Row } from "./row.ts";

const RUNS = 3;
/** What a cold start may have to read of one Lambda, in kB, and to do before its first event. */
const MOST_KILOBYTES = 300;
const MOST_LOADING_MS = 150;
const LOAD =
  "const from = performance.now(); await import(process.argv[1]); console.log(performance.now() - from); process.exit();";

/** Size of each Lambda's bundle, and how long Node takes to load it on this machine. */
export async function compareLambdas(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-lambdas-"));
  try {
    withBundles(FLEET_FUNCTIONS, (folderOf) => {
      for (const name of FLEET_FUNCTIONS) cpSync(folderOf(name), join(folder, name), { recursive: true });
    });
    const rows: Row[] = [];
    for (const name of FLEET_FUNCTIONS) rows.push(...(await measure(name, join(folder, name, "index.mjs"))));
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(name: string, file: string): Promise<Row[]> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) times.push(await loadTime(name, file));
  return [
    {
      what: `Lambda ${name}: size`,
      unit: "kB",
      ours: statSync(file).size / 1_000,
      peer: null,
      aim: { of: "ours", at: "most", value: MOST_KILOBYTES },
    },
    {
      what: `Lambda ${name}: loading`,
      unit: "ms",
      ours: median(times),
      peer: null,
      aim: { of: "ours", at: "most", value: MOST_LOADING_MS },
    },
  ];
}

async function loadTime(name: string, file: string): Promise<number> {
  const args = ["--input-type=module", "--eval", LOAD, pathToFileURL(file).href];
  const result = await exec(process.execPath, args, { deadlineMs: 30_000 });
  const took = Number.parseFloat(result.stdout);
  if (result.exitCode === 0 && Number.isFinite(took)) return took;
  throw new Error(`Lambda ${name} cannot be loaded: ${result.stderr.slice(-600)}`);
}
