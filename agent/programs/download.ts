import { EXIT, Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { StepName } from "../../contract/steps.ts";
import { download } from "../patch/download.ts";
import { preflight } from "../patch/preflight.ts";
import type { Step, StepAnswer, StepContext } from "../patch/step.ts";
import { verify } from "../patch/verify.ts";
import { openCommand } from "./command.ts";
import { keepOperation } from "./keep-operation.ts";
import { readFlags } from "./program.ts";

export const help = `download.sh [--dry-run] [--verbose]

Refreshes the package lists, plans, downloads exactly the planned files and verifies them. Writes
${HOST_PATHS.packagesToInstall}, ${HOST_PATHS.lock} and ${HOST_PATHS.logs}/download_summary_<UTC time>.txt.
  --dry-run   plans and writes the same files, downloads nothing
  --verbose   names every package
`;

export async function run(args: readonly string[]): Promise<number> {
  const table = { "dry-run": { type: "boolean" }, verbose: { type: "boolean" } } as const;
  const { flags } = readFlags("download.sh", table, args);
  const { context } = openCommand("download", {
    dryRun: flags["dry-run"] === true,
    verbose: flags.verbose === true,
  });
  return keepOperation(context, "download.sh", async () => {
    await carryOut(preflight, context);
    const { details } = await carryOut(download, context);
    await carryOut(verify, context);
    if (flags.verbose === true) {
      for (const p of details.plan?.packages ?? [])
        process.stdout.write(`${p.name} ${p.from ?? "(new)"} -> ${p.version}\n`);
    }
    process.stdout.write(
      `${sentence(context, details.plan?.packages.length ?? 0, details.plan?.removals.length ?? 0)}\n`,
    );
    return EXIT.ok;
  });
}

/** A step's answer; what failed or is blocked is thrown, so that the command ends there. */
async function carryOut<S extends StepName>(step: Step<S>, context: StepContext): Promise<StepAnswer<S>> {
  const answer = await step(context);
  const { outcome } = answer;
  if (outcome.outcome === "failed") throw new Failure(outcome.code, outcome.message);
  return answer;
}

function sentence(context: StepContext, packages: number, removals: number): string {
  if (packages + removals === 0) return "No updates are pending.";
  const what = `${packages} packages${removals > 0 ? ` and ${removals} removals` : ""}`;
  return context.dryRun
    ? `${what} would be locked and downloaded (dry run). See ${HOST_PATHS.packagesToInstall}.`
    : `${what} locked, downloaded and verified in ${HOST_PATHS.archives}.`;
}
