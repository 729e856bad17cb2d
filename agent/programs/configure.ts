import { symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { asFailure, EXIT, Failure } from "../../contract/failures.ts";
import { HOST_PATHS, PROGRAM_LINKS } from "../../contract/names.ts";
import { enableUnits, installUnits, scheduleOf } from "../daemon/manage.ts";
import { lstatOrNull, onMachine, ownFolder, readOwn, writeOwn } from "../host/files.ts";
import { readInstance } from "../host/instance.ts";
import type { Machine } from "../host/machine.ts";
import { hasSystemd } from "../host/services.ts";
import { openCommand } from "./command.ts";
import { keepOperation } from "./keep-operation.ts";
import { installVerb } from "./manager-verbs.ts";
import { readFlags } from "./program.ts";

const ENVIRONMENT = "/etc/environment";
const FOLDERS: readonly [path: string, mode: number][] = [
  ["/etc/autopatch", 0o755],
  [HOST_PATHS.healthChecks, 0o755],
  [HOST_PATHS.logs, 0o755],
  [HOST_PATHS.state, 0o700],
  [HOST_PATHS.work, 0o755],
  [HOST_PATHS.backups, 0o700],
];

export async function runInstall(args: readonly string[]): Promise<number> {
  const { flags } = readFlags("autopatch-manager.sh install", installVerb.flags, args);
  const { machine, config, context } = openCommand("manager", { dryRun: false });
  return await keepOperation(context, "install", async () => {
    for (const [path, mode] of FOLDERS) ownFolder(machine, path, mode);
    for (const [link, foreign] of links(machine))
      say(foreign ? `${link} is not AutoPatch's: it stays as it is` : `made ${link}`);
    if (flags.configure === true) {
      for (const line of await describeInstance(machine, config)) say(line);
      if (hasSystemd(machine)) {
        // Who chose the crontab keeps it.
        const schedule = scheduleOf(machine);
        for (const path of await installUnits(machine, schedule)) say(`written ${path}`);
        for (const name of await enableUnits(machine, schedule)) say(`enabled ${name}`);
      } else say("no systemd here: schedule autopatch-maintenance.sh by other means");
    }
    say("AutoPatch is ready: autopatch-manager.sh auto-update --check tells what is pending.");
    return EXIT.ok;
  });
}

/** Links of the seed's names that were missing; `true` for one whose place something else has taken. */
function links(machine: Machine): [link: string, foreign: boolean][] {
  return Object.keys(PROGRAM_LINKS).flatMap((name): [string, boolean][] => {
    const path = `/usr/local/bin/${name}`;
    const full = onMachine(machine, path);
    const stat = lstatOrNull(full);
    // The bundle's launchers are copied there by hand, as the seed's user data does.
    if (stat !== null)
      return stat.isSymbolicLink() || (stat.isFile() && (stat.mode & 0o111) !== 0) ? [] : [[path, true]];
    ownFolder(machine, "/usr/local/bin");
    symlinkSync(launcherOf(machine, name), full);
    return [[path, false]];
  });
}

/** The package's own launcher, as its postinst links it: user data's `cp` writes through links, and must not hit the executable. */
function launcherOf(machine: Machine, name: string): string {
  const launcher = `${dirname(HOST_PATHS.executable)}/bin/${name}`;
  return lstatOrNull(onMachine(machine, launcher)) === null ? HOST_PATHS.executable : launcher;
}

async function describeInstance(machine: Machine, config: Parameters<typeof readInstance>[1]): Promise<string[]> {
  let instance: Awaited<ReturnType<typeof readInstance>>;
  try {
    instance = await readInstance(process.env, config);
  } catch (error) {
    return [`${ENVIRONMENT} stays as it is: ${asFailure(error).message}`];
  }
  const wanted = { AWS_REGION: instance.region, INSTANCE_ID: instance.instanceId };
  const before = readOwn(machine, ENVIRONMENT) ?? "";
  const after = withVariables(before, wanted);
  if (after === before) return [];
  writeOwn(machine, ENVIRONMENT, after);
  return [`written to ${ENVIRONMENT}: INSTANCE_ID=${instance.instanceId} AWS_REGION=${instance.region ?? "(unknown)"}`];
}

/** Pure: /etc/environment with some variables set, the rest of it as it was. A value that is null is left alone. */
export function withVariables(text: string, values: Readonly<Record<string, string | null>>): string {
  let lines = text.split("\n");
  if (lines.at(-1) === "") lines = lines.slice(0, -1);
  for (const [key, value] of Object.entries(values)) {
    if (value === null) continue;
    if (!/^[A-Za-z0-9._-]+$/.test(value))
      throw new Failure("configurationInvalid", `${key}=${JSON.stringify(value)} cannot stand in ${ENVIRONMENT}`);
    const at = lines.findIndex((line) => new RegExp(`^(export\\s+)?${key}=`).test(line));
    if (at === -1) lines.push(`${key}=${value}`);
    else lines[at] = `${key}=${value}`;
  }
  return `${lines.join("\n")}\n`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
