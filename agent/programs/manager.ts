import { EXIT } from "../../contract/failures.ts";
import { readStatus, type Status, statusText } from "../telemetry/status.ts";
import { openCommand } from "./command.ts";
import { readFlags, suggestion, Usage } from "./program.ts";

const VERBS = ["show-status"] as const;

export const help = `autopatch-manager.sh show-status [--format=json|text] [--detailed] [--health-check] [--quiet]

Tells what is installed, pending, backed up and in progress on this host. Changes nothing.
  --format=json    one JSON object
  --detailed       every pending update, and why others are left out
  --health-check   exit 11 when a change is unfinished or a security violation was logged
  --quiet          prints nothing; the exit code tells
`;

export async function run(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  if (verb !== "show-status") {
    throw new Usage(`autopatch-manager.sh: unknown command ${verb ?? ""}${suggestion(verb ?? "", VERBS)}`);
  }
  const { flags } = readFlags(
    "autopatch-manager.sh show-status",
    {
      format: { type: "string" },
      detailed: { type: "boolean" },
      "health-check": { type: "boolean" },
      quiet: { type: "boolean" },
    },
    rest,
  );
  const format = flags.format ?? "text";
  if (format !== "text" && format !== "json") {
    throw new Usage(
      `autopatch-manager.sh show-status: unknown format ${format}${suggestion(format, ["json", "text"])}`,
    );
  }
  const { machine, context } = openCommand("manager", { dryRun: true });
  const status = await readStatus(machine, context.policy);
  if (flags.quiet !== true) {
    const text =
      format === "json" ? `${JSON.stringify(status, null, 2)}\n` : statusText(status, flags.detailed === true);
    process.stdout.write(text);
  }
  const problem = flags["health-check"] === true ? healthProblem(status) : null;
  if (problem === null) return EXIT.ok;
  if (flags.quiet !== true) process.stderr.write(`autopatch: ${problem}\n`);
  return EXIT.unhealthy;
}

/** What keeps a host from being called healthy; null when nothing does. Pure. */
export function healthProblem(status: Pick<Status, "transaction" | "figures">): string | null {
  if (status.transaction?.open) {
    return `the change of run ${status.transaction.runId} is unfinished: ${status.transaction.state}`;
  }
  const { securityViolations } = status.figures;
  return securityViolations > 0 ? `${securityViolations} security violations are in the logs` : null;
}
