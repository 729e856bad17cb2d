import { rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { lstatOrNull, onMachine, ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { hasSystemd } from "../host/services.ts";
import { CRONTAB_PATH as CRON, CRONTAB, enabledUnits, type Schedule, UNITS } from "./units.ts";

export const DAEMON = "autopatch-daemon.service";
const SHIPPED = ["/usr/lib/systemd/system", "/lib/systemd/system"];
const WRITTEN = "/etc/systemd/system";
const TAKES_BACK = /^autopatch-(recover|watchdog)\./;
const DEADLINE_MS = 120_000;

export interface DaemonState {
  readonly active: string;
  readonly enabled: string;
  /** Timers, each with whether it is active. */
  readonly timers: readonly { readonly name: string; readonly active: string }[];
  readonly cron: boolean;
}

/**
 * Makes the units known to systemd: those of the package where it is installed, else the agent's own copies.
 * @returns paths written
 * @throws Failure `toolMissing` where systemd is not PID 1
 */
export async function installUnits(machine: Machine, schedule: Schedule): Promise<string[]> {
  requireSystemd(machine);
  const written: string[] = [];
  for (const [name, text] of Object.entries(UNITS)) {
    const path = `${WRITTEN}/${name}`;
    if (isShipped(machine, name) || readOwn(machine, path) === text) continue;
    writeOwn(machine, path, text);
    written.push(path);
  }
  if (schedule === "cron" && writeCrontab(machine)) written.push(CRON);
  await systemctl(machine, "daemon-reload");
  return written;
}

/** Enables and starts the units; maintenance by timers or by the crontab, never by both. @returns names of the units */
export async function enableUnits(machine: Machine, schedule: Schedule): Promise<string[]> {
  requireSystemd(machine);
  if (schedule === "cron") writeCrontab(machine);
  else removeCrontab(machine);
  const names = enabledUnits(UNITS, schedule);
  const others = enabledUnits(UNITS, "timers").filter((name) => !names.includes(name));
  if (others.length > 0) await systemctl(machine, "disable", "--now", ...others);
  await systemctl(machine, "enable", "--now", ...names);
  return names;
}

/** Ends what runs by itself, but for what takes a host back: that is needed most where nothing else runs. */
export async function disableUnits(machine: Machine): Promise<string[]> {
  requireSystemd(machine);
  const names = enabledUnits(UNITS, "timers").filter((name) => isKnown(machine, name) && !TAKES_BACK.test(name));
  if (names.length > 0) await systemctl(machine, "disable", "--now", ...names);
  return [...names, ...(removeCrontab(machine) ? [CRON] : [])];
}

/** Takes away what installUnits wrote; what the package shipped is the package's. @returns paths removed */
export async function uninstallUnits(machine: Machine): Promise<string[]> {
  const disabled = await disableUnits(machine);
  const others = enabledUnits(UNITS, "timers").filter((name) => isWritten(machine, name));
  if (others.length > 0) await systemctl(machine, "disable", "--now", ...others);
  const removed = Object.keys(UNITS)
    .filter((name) => isWritten(machine, name))
    .map((name) => `${WRITTEN}/${name}`);
  for (const path of removed) rmSync(onMachine(machine, path));
  await systemctl(machine, "daemon-reload");
  return [...removed, ...disabled.filter((name) => name === CRON)];
}

export async function daemonState(machine: Machine): Promise<DaemonState> {
  requireSystemd(machine);
  const ask = async (verb: string, name: string) =>
    (await machine.exec("systemctl", [verb, name], { deadlineMs: DEADLINE_MS })).stdout.trim() || "not installed";
  const timers = [];
  for (const name of Object.keys(UNITS).filter((unit) => unit.endsWith(".timer")))
    timers.push({ name, active: await ask("is-active", name) });
  const cron = scheduleOf(machine) === "cron";
  return { active: await ask("is-active", DAEMON), enabled: await ask("is-enabled", DAEMON), timers, cron };
}

/** How maintenance is scheduled here, or would be. */
export function scheduleOf(machine: Pick<Machine, "root">): Schedule {
  return lstatOrNull(onMachine(machine, CRON)) === null ? "timers" : "cron";
}

/** @returns whether it was not there, or another */
function writeCrontab(machine: Machine): boolean {
  if (readOwn(machine, CRON) === CRONTAB) return false;
  ownFolder(machine, "/etc/cron.d");
  writeOwn(machine, CRON, CRONTAB);
  return true;
}

/** @returns whether it was there */
function removeCrontab(machine: Machine): boolean {
  if (scheduleOf(machine) === "timers") return false;
  rmSync(onMachine(machine, CRON));
  return true;
}

function isShipped(machine: Machine, name: string): boolean {
  return SHIPPED.some((folder) => lstatOrNull(onMachine(machine, `${folder}/${name}`)) !== null);
}

function isKnown(machine: Machine, name: string): boolean {
  return isShipped(machine, name) || isWritten(machine, name);
}

function isWritten(machine: Machine, name: string): boolean {
  return lstatOrNull(onMachine(machine, `${WRITTEN}/${name}`)) !== null;
}

async function systemctl(machine: Machine, ...args: string[]): Promise<void> {
  const result = await machine.exec("systemctl", args, { deadlineMs: DEADLINE_MS });
  if (result.exitCode !== 0)
    throw new Failure(
      "daemonFailed",
      `systemctl ${args.join(" ")}: ${result.stderr.trim() || `exit ${result.exitCode}`}`,
    );
}

function requireSystemd(machine: Machine): void {
  if (hasSystemd(machine)) return;
  throw new Failure("toolMissing", "systemd is not PID 1 here: schedule autopatch-maintenance.sh by other means");
}
