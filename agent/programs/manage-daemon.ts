import { EXIT } from "../../contract/failures.ts";
import { daemonState, disableUnits, enableUnits, installUnits, uninstallUnits } from "../daemon/manage.ts";
import { openCommand } from "./command.ts";
import { keepOperation } from "./keep-operation.ts";
import { daemonVerb } from "./manager-verbs.ts";
import { readFlags, Usage } from "./program.ts";

const NAME = "autopatch-manager.sh manage-daemon";

export async function runManageDaemon(args: readonly string[]): Promise<number> {
  const { flags } = readFlags(NAME, daemonVerb.flags, args);
  const ends = (["disable", "uninstall", "status"] as const).filter((verb) => flags[verb] === true);
  const begins = (["install", "enable"] as const).filter((verb) => flags[verb] === true);
  if (ends.length + Math.min(1, begins.length) !== 1)
    throw new Usage(`${NAME}: say --install, --enable or both, or one of --disable, --uninstall, --status`);
  if (flags.cron === true && begins.length === 0) throw new Usage(`${NAME}: --cron goes with --install or --enable`);
  const schedule = flags.cron === true ? "cron" : "timers";
  const { machine, context } = openCommand("manager", { dryRun: false });
  if (flags.status === true) {
    const state = await daemonState(machine);
    const rows = [
      ["autopatch-daemon.service", `${state.active}, ${state.enabled}`],
      ...state.timers.map((t) => [t.name, t.active]),
    ];
    say(rows.map(([name = "", how]) => `${name.padEnd(36)}${how}`));
    if (state.cron) say(["/etc/cron.d/autopatch              schedules maintenance"]);
    return state.active === "active" ? EXIT.ok : EXIT.unhealthy;
  }
  return await keepOperation(context, "manage-daemon", async () => {
    if (flags.install === true) say((await installUnits(machine, schedule)).map((path) => `written ${path}`));
    if (flags.enable === true) say((await enableUnits(machine, schedule)).map((name) => `enabled ${name}`));
    if (flags.disable === true) say((await disableUnits(machine)).map((name) => `disabled ${name}`));
    if (flags.uninstall === true) say((await uninstallUnits(machine)).map((path) => `removed ${path}`));
    return EXIT.ok;
  });
}

function say(lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
