import { requireEnded } from "./ended.ts";
import type { Machine } from "./machine.ts";
import { outdatedUnits, ownUnit } from "./mapped-libraries.ts";
import { divideRestarts, restartLater } from "./restart-services.ts";
import { hasSystemd } from "./systemd.ts";

export { hasSystemd } from "./systemd.ts";

const DEADLINE_MS = 120_000;

/** Names of the active services, sshd and the SSM agent among them; empty where systemd is not PID 1. */
export async function activeServices(machine: Machine): Promise<string[]> {
  if (!hasSystemd(machine)) return [];
  const result = await machine.exec(
    "systemctl",
    ["list-units", "--type=service", "--state=active", "--no-legend", "--plain", "--no-pager"],
    { deadlineMs: DEADLINE_MS },
  );
  return parseUnits(result.stdout);
}

/** Pure: first words of the lines. One-shot units that are done count too. */
export function parseUnits(stdout: string): string[] {
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/)[0] ?? "")
    .filter((name) => name.endsWith(".service"))
    .sort();
}

/** Units that are up for good: what a change may not take away. */
export interface ServicesBefore {
  /** Names of services active before the change. */
  readonly active: readonly string[];
  /** When the change began. */
  readonly since: Date;
  /** The host was booted after the change: everything is younger than it. */
  readonly rebooted: boolean;
}

/**
 * After files were put back: units are read again, and those services that were active before and started anew during the change, or
 * stopped, are restarted, since they run what is no longer on disk. Nothing else is touched.
 * @returns the names of those restarted
 */
export async function settleServices(machine: Machine, before: ServicesBefore): Promise<string[]> {
  const { active, since, rebooted } = before;
  if (!hasSystemd(machine) || active.length === 0) return [];
  await machine.exec("systemctl", ["daemon-reload"], { deadlineMs: DEADLINE_MS });
  const shown = await machine.exec(
    "systemctl",
    ["show", "--property=Id,Type,ActiveState,ActiveEnterTimestampMonotonic", ...active],
    { deadlineMs: DEADLINE_MS },
  );
  const units = parseShown(shown.stdout);
  const upMs = Number(process.hrtime.bigint() / 1_000_000n);
  const sinceMs = upMs - (machine.clock.now().getTime() - since.getTime());
  const stale = rebooted
    ? [...units.filter(isDown).map(({ name }) => name), ...outdatedUnits(machine).map(({ unit }) => unit)]
    : staleServices(units, sinceMs);
  await stopOrphans(machine, active);
  const { now, later, left } = divideRestarts([...new Set(stale)], ownUnit(machine));
  for (const name of now) await machine.exec("systemctl", ["restart", name], { deadlineMs: DEADLINE_MS });
  for (const name of later) await restartLater(machine, name);
  if (rebooted && left.length > 0)
    machine.log.warn(`${left.join(", ")} runs what the change had installed: reboot the host to run what was put back`);
  return now;
}

/** Ends services of packages that are not there any more: nobody could stop them by name after the next reload. */
async function stopOrphans(machine: Machine, before: readonly string[]): Promise<void> {
  const added = (await activeServices(machine)).filter((name) => !before.includes(name));
  if (added.length === 0) return;
  const shown = await machine.exec("systemctl", ["show", "--property=Id,LoadState", ...added], {
    deadlineMs: DEADLINE_MS,
  });
  for (const stanza of shown.stdout.split(/\n\n+/)) {
    const name = /^Id=(.*)$/m.exec(stanza)?.[1];
    if (name === undefined || !/^LoadState=not-found$/m.test(stanza)) continue;
    await machine.exec("systemctl", ["stop", name], { deadlineMs: DEADLINE_MS });
    machine.log.info(`stopped ${name}, whose unit is gone again`);
  }
}

/**
 * Which services run what is not on disk any more, or are down. Pure.
 * @param sinceMs when the change began, in milliseconds since boot
 */
export function staleServices(units: readonly ShownUnit[], sinceMs: number): string[] {
  return units
    .filter((unit) => isDown(unit) || (unit.type !== "oneshot" && unit.activeSinceMs >= sinceMs))
    .map((unit) => unit.name);
}

function isDown({ type, state }: ShownUnit): boolean {
  return type !== "oneshot" && state !== "active";
}

export interface ShownUnit {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  /** Milliseconds since boot; 0 when it is not active. */
  readonly activeSinceMs: number;
}

/** Pure: stanzas of `systemctl show`. */
export function parseShown(stdout: string): ShownUnit[] {
  return stdout
    .split(/\n\n+/)
    .filter((stanza) => stanza.trim() !== "")
    .map((stanza) => {
      const fields = new Map(stanza.split("\n").map((line) => [line.split("=")[0], line.slice(line.indexOf("=") + 1)]));
      return {
        name: fields.get("Id") ?? "",
        type: fields.get("Type") ?? "",
        state: fields.get("ActiveState") ?? "",
        activeSinceMs: Math.floor((Number(fields.get("ActiveEnterTimestampMonotonic")) || 0) / 1_000),
      };
    });
}

/** Names of the units that failed, each with its description. @throws Failure `programKilled`; Error when systemd does not answer */
export async function failedUnits(machine: Machine): Promise<string[]> {
  const result = await machine.exec(
    "systemctl",
    ["list-units", "--state=failed", "--no-legend", "--plain", "--no-pager", "--full"],
    { deadlineMs: 10_000 },
  );
  if (requireEnded(result).exitCode !== 0) throw new Error(`systemctl: ${result.stderr.trim()}`);
  return result.stdout.split("\n").flatMap((line) => {
    const [unit, , , , ...description] = line.trim().split(/\s+/);
    return unit === undefined || unit === "" ? [] : [`${unit} (${description.join(" ")})`];
  });
}

/** Whether a unit is active; false where systemd is not PID 1. */
export async function isActive(machine: Machine, unit: string): Promise<boolean> {
  if (!hasSystemd(machine)) return false;
  const result = await machine.exec("systemctl", ["is-active", "--quiet", unit], { deadlineMs: 10_000 });
  return requireEnded(result).exitCode === 0;
}
