import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start } from "../agent/host/exec.ts";
import { provideForTests } from "./provide.ts";

/** `npm test`: brings what the tests need, runs them all, and ends with one line that says how many passed and failed. */
interface VitestSummary {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

const folder = mkdtempSync(join(tmpdir(), "autopatch-test-"));
try {
  await provideForTests();
  const outputFile = join(folder, "summary.json");
  const vitest = [
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${outputFile}`,
  ];
  const child = start(process.execPath, [...vitest, ...process.argv.slice(2)], {
    env: { ...(process.env as Record<string, string>) },
    stdio: ["ignore", "inherit", "inherit"],
  });
  process.once("SIGINT", () => child.pid !== undefined && process.kill(-child.pid, "SIGINT"));
  const exitCode = await new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? 1)));
  const summary = JSON.parse(readFileSync(outputFile, "utf8")) as VitestSummary;
  // A file that could not even be loaded counts: it hides all its tests.
  const broken = summary.testResults.filter((f) => f.status === "failed" && f.assertionResults.length === 0).length;
  const failed = summary.numFailedTests + broken;
  const skipped = summary.numPendingTests === 0 ? "" : `, ${summary.numPendingTests} skipped`;
  console.log(`${summary.numPassedTests} passed, ${failed} failed${skipped}`);
  process.exitCode = exitCode !== 0 || failed > 0 || summary.numPassedTests === 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
