import { EXIT } from "../../contract/failures.ts";
import type { Operation } from "../../contract/request.ts";
import type { Plan } from "../../contract/step-report.ts";
import { preflight } from "../patch/preflight.ts";
import { openCommand } from "./command.ts";
import { carryOut, prepare } from "./download.ts";
import { installPrepared } from "./install.ts";
import { keepOperation } from "./keep-operation.ts";
import { autoUpdateVerb, fullUpdateVerb } from "./manager-verbs.ts";
import { readFlags, Usage } from "./program.ts";

export async function runAutoUpdate(args: readonly string[]): Promise<number> {
  const name = "autopatch-manager.sh auto-update";
  const { flags } = readFlags(name, autoUpdateVerb.flags, args);
  if (flags.check === true && flags.install === true)
    throw new Usage(`${name}: --check only looks, --install installs: say one of them`);
  if (flags.install !== true && flags.backup === true) throw new Usage(`${name}: --backup goes with --install`);
  if (flags.install !== true) return await check("auto-update");
  return await update("auto-update", flags.backup === true, flags["dry-run"] === true);
}

export async function runFullUpdate(args: readonly string[]): Promise<number> {
  const { flags } = readFlags("autopatch-manager.sh full-update", fullUpdateVerb.flags, args);
  return await update("full-update", flags.backup === true, flags["dry-run"] === true);
}

/** Refreshes the lists and tells what would be installed. */
async function check(operation: Operation): Promise<number> {
  const { context } = openCommand("manager", { operation, dryRun: true });
  return await keepOperation(context, `${operation} --check`, async () => {
    const { details } = await carryOut(preflight, context);
    process.stdout.write(pendingText(details.plan));
    return EXIT.ok;
  });
}

async function update(operation: Operation, withBackup: boolean, isDryRun: boolean): Promise<number> {
  const { context } = openCommand("manager", { operation, dryRun: isDryRun });
  return await keepOperation(context, operation, async () => {
    const plan = await prepare(context);
    if (plan === undefined || plan.packages.length + plan.removals.length === 0) {
      process.stdout.write(pendingText(plan));
      return EXIT.ok;
    }
    return await installPrepared(context, {}, { backup: withBackup, rehearsal: false });
  });
}

/** What is pending, for people. Pure. */
export function pendingText(plan: Plan | undefined): string {
  if (plan === undefined) return "No updates are pending.\n";
  const total = plan.packages.length + plan.removals.length;
  const security = plan.packages.filter((p) => p.security).length;
  const lines = [
    total === 0
      ? "No updates are pending."
      : `${total} updates are pending, ${security} of them security updates, ${(plan.downloadBytes / 1e6).toFixed(1)} MB to download:`,
    ...plan.packages.map(
      (p) =>
        `  ${p.name} ${p.from ?? "(new)"} -> ${p.version}${p.security ? " [security]" : ""}${p.critical ? " [critical]" : ""}`,
    ),
    ...plan.removals.map((r) => `  ${r.name} ${r.version} would be removed`),
    ...(plan.leftOut.length > 0 ? ["Left out:"] : []),
    ...plan.leftOut.map((l) => `  ${l.name} ${l.installed} -> ${l.candidate}: ${l.reason}: ${l.message}`),
  ];
  return `${lines.join("\n")}\n`;
}
