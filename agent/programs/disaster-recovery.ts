import { EXIT } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { fileTime } from "../host/clock.ts";
import { ownFolder, writeOwn } from "../host/files.ts";
import { recoveryText } from "../recovery/phases.ts";
import { recoverHost } from "../recovery/recover-host.ts";
import { openCommand } from "./command.ts";
import { keepOperation } from "./keep-operation.ts";
import { recoveryVerb } from "./manager-verbs.ts";
import { readFlags, Usage } from "./program.ts";

const NAME = "autopatch-manager.sh disaster-recovery";

export async function runDisasterRecovery(args: readonly string[]): Promise<number> {
  const { flags } = readFlags(NAME, recoveryVerb.flags, args);
  const { type, mode } = flags as {
    type?: (typeof recoveryVerb.flags.type.oneOf)[number];
    mode?: (typeof recoveryVerb.flags.mode.oneOf)[number];
  };
  if (type === undefined || mode === undefined)
    throw new Usage(
      `${NAME}: say --type=${recoveryVerb.flags.type.oneOf.join("|")} and --mode=${recoveryVerb.flags.mode.oneOf.join("|")}`,
    );
  const { machine, config, context } = openCommand("recovery", { dryRun: flags["dry-run"] === true });
  return await keepOperation(context, `disaster-recovery ${type} ${mode}`, async () => {
    const { report, failure } = await recoverHost(context, { disaster: type, mode, config, backup: flags.backup });
    const text = recoveryText(report);
    ownFolder(machine, HOST_PATHS.logs);
    writeOwn(machine, `${HOST_PATHS.logs}/disaster_recovery_${fileTime(new Date(report.startedAt))}.txt`, text);
    process.stdout.write(flags.format === "json" ? `${JSON.stringify(report, null, 2)}\n` : text);
    if (failure !== null) throw failure;
    return EXIT.ok;
  });
}
