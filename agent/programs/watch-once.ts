import { EXIT, Failure } from "../../contract/failures.ts";
import { DEFAULT_POLICY } from "../../contract/request.ts";
import { fileTime } from "../host/clock.ts";
import { localMachine, requireRoot } from "../host/local-machine.ts";
import { isBooting } from "../host/systemd.ts";
import { readJournal } from "../patch/journal.ts";
import { differenceSentence } from "../patch/transaction.ts";
import { unfinished, type Watched, watch } from "../patch/watchdog.ts";
import { holdLockdown } from "../security/lockdown/lockdown.ts";
import type { Declaration } from "./declaration.ts";
import { keepOperation } from "./keep-operation.ts";
import { readFlags } from "./program.ts";
import { stepContext } from "./step-context.ts";

/** Going back takes no fleet lock. */
const NONE = { name: null, keyFile: "", required: false };

/** The run function of a program that is one look and takes no flags. */
export function lookProgram(name: "watchdog" | "recover", declaration: Declaration) {
  return async (args: readonly string[]): Promise<number> => {
    readFlags(declaration.name, declaration.flags, args);
    requireRoot();
    await watchOnce(name);
    return EXIT.ok;
  };
}

/**
 * One look of the watchdog; what it did is kept in the host's history, a look that found nothing is not. The host's configuration is not
 * read: a line in it that nobody can read must not keep a host from going back.
 */
async function watchOnce(name: "watchdog" | "recover"): Promise<void> {
  const machine = localMachine(name, { AUTOPATCH_LOG_LEVEL: "info" });
  const runId = unfinished(readJournal(machine))?.runId ?? `manual-${fileTime(machine.clock.now())}`;
  const { context } = stepContext(machine, { runId, dryRun: false, policy: DEFAULT_POLICY, fleet: NONE });
  const look = await watch(context, { atBoot: await isBooting(machine) }).catch(async (error): Promise<never> => {
    await keepOperation(context, name, () => Promise.reject(error));
    throw error;
  });
  if (look.did === "nothing") machine.log.info(look.message);
  else
    await keepOperation(context, name, async () => {
      // What was half done went back also on a locked host, whose boot and dpkg have to be sound; the lockdown is newer than that.
      if (look.did === "wentBack") await holdLockdown(machine);
      return tell(look, machine.log);
    });
}

function tell(look: Exclude<Watched, { did: "nothing" }>, log: { warn(message: string): void }): number {
  if (look.did === "leftAlone")
    throw new Failure("transactionOpen", `${look.reason}; commit it, or go back with rollback.sh --restore-system`);
  const { restored, transaction } = look.undone;
  const how = restored.differences.length === 0 ? "the host is what it was" : differenceSentence(restored);
  log.warn(`run ${transaction.runId} was rolled back, since ${look.reason}: ${how}`);
  if (restored.differences.length > 0) throw new Failure("rollbackIncomplete", how);
  return 0;
}
