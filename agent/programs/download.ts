import { resolve } from "node:path";
import { EXIT, Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Plan } from "../../contract/step-report.ts";
import type { StepName } from "../../contract/steps.ts";
import type { SignedDocument } from "../host/fetch-fleet-lock.ts";
import { readOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { download } from "../patch/download.ts";
import { preflight } from "../patch/preflight.ts";
import type { Step, StepAnswer, StepContext } from "../patch/step.ts";
import { verify } from "../patch/verify.ts";
import { openCommand } from "./command.ts";
import type { Declaration } from "./declaration.ts";
import { keepOperation } from "./keep-operation.ts";
import { readFlags } from "./program.ts";

export const declaration = {
  name: "download.sh",
  summary: "plan, lock, download and verify the pending updates",
  about: `Refreshes the package lists, plans, downloads exactly the planned files and verifies them. Installs nothing.`,
  flags: {
    "dry-run": { type: "boolean", meaning: "plans and writes the same files, downloads nothing" },
    verbose: { type: "boolean", meaning: "names every package" },
    lock: {
      type: "string",
      value: "FILE",
      meaning: "a fleet lock, its signature beside it in FILE.sig: what of it concerns this host, and nothing else",
    },
  },
  exits: ["blocked", "preflight", "download", "security"],
  files: [
    [HOST_PATHS.packagesToInstall, "the packages, one a line"],
    [HOST_PATHS.lock, "name, version, size and SHA-256 of each file; sha256sum -c reads it"],
    [`${HOST_PATHS.logs}/download_summary_<UTC time>.txt`, "what was planned and downloaded"],
  ],
} as const satisfies Declaration;

export async function run(args: readonly string[]): Promise<number> {
  const { flags } = readFlags(declaration.name, declaration.flags, args);
  const { context } = openCommand("download", {
    dryRun: flags["dry-run"] === true,
    verbose: flags.verbose === true,
    ...(flags.lock === undefined ? {} : { fleetLock: lockReader(resolve(flags.lock)) }),
  });
  return keepOperation(context, "download.sh", async () => {
    const plan = await prepare(context);
    if (flags.verbose === true) {
      for (const p of plan?.packages ?? []) process.stdout.write(`${p.name} ${p.from ?? "(new)"} -> ${p.version}\n`);
    }
    process.stdout.write(`${sentence(context, plan?.packages.length ?? 0, plan?.removals.length ?? 0)}\n`);
    return EXIT.ok;
  });
}

/** Plans, downloads and verifies. @returns what is locked and what is left out of it */
export async function prepare(context: StepContext): Promise<Plan | undefined> {
  await carryOut(preflight, context);
  const { details } = await carryOut(download, context);
  await carryOut(verify, context);
  return details.plan;
}

/** Reads a fleet lock and the signature beside it, once it is wanted. */
function lockReader(file: string): (machine: Machine) => Promise<SignedDocument> {
  return async (machine) => {
    const [document, signature] = [readOwn(machine, file), readOwn(machine, `${file}.sig`)];
    const missing = document === null ? file : `${file}.sig`;
    if (document === null || signature === null) throw new Failure("fleetLockRefused", `${missing} is not there`);
    return { document: Buffer.from(document, "utf8"), signature, from: file };
  };
}

/** A step's answer; what failed or is blocked is thrown, so that the command ends there. */
export async function carryOut<S extends StepName>(step: Step<S>, context: StepContext): Promise<StepAnswer<S>> {
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
