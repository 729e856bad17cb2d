import { EXIT } from "../../contract/failures.ts";
import { healthProblems, readHealth, readStatus, statusText } from "../telemetry/status.ts";
import { openCommand } from "./command.ts";
import { statusVerb } from "./manager-verbs.ts";
import { readFlags } from "./program.ts";

export async function runShowStatus(args: readonly string[]): Promise<number> {
  const { flags } = readFlags("autopatch-manager.sh show-status", statusVerb.flags, args);
  const { machine, context } = openCommand("manager", { dryRun: true });
  const judged = flags["health-check"] === true;
  if (flags.quiet === true) {
    const problems = judged ? healthProblems(await readHealth(machine)) : [];
    return problems.length === 0 ? EXIT.ok : EXIT.unhealthy;
  }
  const status = await readStatus(machine, context.policy);
  const text =
    flags.format === "json" ? `${JSON.stringify(status, null, 2)}\n` : statusText(status, flags.detailed === true);
  process.stdout.write(text);
  const problems = judged ? healthProblems(status) : [];
  for (const problem of problems) process.stderr.write(`autopatch: ${problem}\n`);
  return problems.length === 0 ? EXIT.ok : EXIT.unhealthy;
}
