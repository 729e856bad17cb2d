import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "../../agent/host/exec.ts";

const TESTS = fileURLToPath(new URL("..", import.meta.url));
const PROJECT = join(TESTS, "..");
const PROGRAM = join(PROJECT, "node_modules/vitest/vitest.mjs");

/** Full names of the tests in each file, by the file's path below test/; nothing is run. @throws Error when vitest cannot tell */
export async function listTests(files: readonly string[]): Promise<Map<string, string[]>> {
  const listed = await answerOf<{ name: string; file: string }[]>(
    (output) => ["list", "--no-static-parse", `--json=${output}`, ...files.map((file) => join("test", file))],
    "ignore",
  );
  const found = new Map<string, string[]>();
  for (const { name, file } of listed) {
    const path = relative(TESTS, file);
    found.set(path, [...(found.get(path) ?? []), name]);
  }
  return found;
}

/** How each test of the files that matches one of the names ended: true when it passed. By file and full name. */
export async function runTests(files: readonly string[], names: readonly string[]): Promise<Map<string, boolean>> {
  const pattern = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  const paths = files.map((file) => join("test", file));
  const summary = await answerOf<Summary>(
    (output) => [
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${output}`,
      "-t",
      pattern,
      ...paths,
    ],
    "inherit",
  );
  const ended = new Map<string, boolean>();
  for (const { name: file, assertionResults } of summary.testResults)
    for (const { ancestorTitles, title, status } of assertionResults)
      if (status === "passed" || status === "failed")
        ended.set(`${relative(TESTS, file)}: ${[...ancestorTitles, title].join(" > ")}`, status === "passed");
  return ended;
}

interface Summary {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

/** Runs vitest, and reads what it wrote into a file of its own: its standard output is for people. */
async function answerOf<T>(args: (output: string) => string[], stdout: "ignore" | "inherit"): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-vitest-"));
  try {
    const output = join(folder, "answer.json");
    const child = start(process.execPath, [PROGRAM, ...args(output)], {
      cwd: PROJECT,
      env: { ...(process.env as Record<string, string>) },
      stdio: ["ignore", stdout, "inherit"],
    });
    process.once("SIGINT", () => child.pid !== undefined && process.kill(-child.pid, "SIGINT"));
    await new Promise<void>((resolve, reject) => {
      child.once("close", () => resolve());
      child.once("error", reject);
    });
    return JSON.parse(readFileSync(output, "utf8")) as T;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
