import { EXIT, Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { maintenanceProblem, maintenanceText } from "../maintenance/report.ts";
import { maintain } from "../maintenance/run.ts";
import { KINDS, type Kind } from "../maintenance/tasks.ts";
import { openCommand } from "./command.ts";
import type { Declaration } from "./declaration.ts";
import { keepOperation } from "./keep-operation.ts";
import { readFlags, suggestion, Usage } from "./program.ts";

export const declaration = {
  name: "autopatch-maintenance.sh",
  summary: "daily, weekly and monthly maintenance within a window",
  about:
    "Does the tasks of the day, the week or the month, one after the other. Once the window is over none is begun. A task that failed, or " +
    "an overrun, is alerted: by exit code 11, in the report, and to AUTOPATCH_ALERT_TOPIC where the configuration names one.",
  usage: ["daily|weekly|monthly WINDOW_MINUTES [--format=json|text]"],
  flags: {
    format: { type: "string", oneOf: ["json", "text"], meaning: "one JSON object, or text for people (the default)" },
  },
  exits: ["unhealthy"],
  files: [[`${HOST_PATHS.logs}/maintenance_KIND_TIME.txt`, "the report of each task"]],
} as const satisfies Declaration;

export async function run(args: readonly string[]): Promise<number> {
  const { flags, words } = readFlags(declaration.name, declaration.flags, args, 2);
  const kind = kindOf(words[0]);
  const windowMinutes = minutesOf(words[1]);
  const { machine, config, context } = openCommand("maintenance", { dryRun: false });
  return await keepOperation(context, `maintenance ${kind}`, async () => {
    const report = await maintain(machine, { kind, windowMinutes, config });
    process.stdout.write(flags.format === "json" ? `${JSON.stringify(report, null, 2)}\n` : maintenanceText(report));
    const problem = maintenanceProblem(report);
    if (problem !== null) throw new Failure("maintenanceFailed", `${kind}: ${problem}`);
    return EXIT.ok;
  });
}

function kindOf(word: string | undefined): Kind {
  const kind = KINDS.find((one) => one === word);
  if (kind !== undefined) return kind;
  throw new Usage(
    `${declaration.name}: ${word === undefined ? "say what kind" : `unknown kind ${word}`}${suggestion(word ?? "", KINDS)}`,
  );
}

function minutesOf(word: string | undefined): number {
  const minutes = /^\d{1,4}$/.test(word ?? "") ? Number(word) : 0;
  if (minutes >= 1 && minutes <= 1_440) return minutes;
  throw new Usage(
    `${declaration.name}: the window is a number of minutes, 1 to 1440, not ${JSON.stringify(word ?? "")}: daily 60`,
  );
}
