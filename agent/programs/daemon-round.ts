import { EXIT } from "../../contract/failures.ts";
import { choresOf, doChores } from "../daemon/daemon.ts";
import { watchHealth } from "../daemon/health.ts";
import { readConfig } from "../host/config.ts";
import { localMachine } from "../host/local-machine.ts";

/**
 * What the daemon has done every five minutes, apart from the process that stays.
 * @throws Failure `configurationInvalid`: said anew each time, until the file is mended
 */
export async function runRound(what: "health" | "all"): Promise<number> {
  const config = readConfig({ root: "/" });
  const machine = localMachine("daemon", config);
  const wrong = what === "health" ? await watchHealth(machine, config) : await doChores(machine, choresOf(config));
  return wrong.length === 0 ? EXIT.ok : EXIT.unhealthy;
}
