import { lstatOrNull, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

const DEADLINE_MS = 120_000;

/** Whether systemd is PID 1 here. */
export function hasSystemd(machine: Pick<Machine, "root">): boolean {
  return lstatOrNull(onMachine(machine, "/run/systemd/system"))?.isDirectory() ?? false;
}

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

/**
 * After files were put back: units are read again, and those services that were active before and started anew during the change, or
 * stopped, are restarted, since they run what is no longer on disk. Nothing else is touched.
 * @param since when the change began
 * @returns the names of those restarted
 */
export async function settleServices(machine: Machine, before: readonly string[], since: Date): Promise<string[]> {
  if (!hasSystemd(machine) || before.length === 0) return [];
  await machine.exec("systemctl", ["daemon-reload"], { deadlineMs: DEADLINE_MS });
  const shown = await machine.exec(
    "systemctl",
    ["show", "--property=Id,Type,ActiveState,ActiveEnterTimestampMonotonic", ...before],
    { deadlineMs: DEADLINE_MS },
  );
  const upMs = Number(process.hrtime.bigint() / 1_000_000n);
  const sinceMs = upMs - (machine.clock.now().getTime() - since.getTime());
  if (sinceMs < 0) machine.log.warn("the host was rebooted since the change: reboot it again to run what was put back");
  const names = staleServices(parseShown(shown.stdout), sinceMs);
  for (const name of names) await machine.exec("systemctl", ["restart", name], { deadlineMs: DEADLINE_MS });
  return names;
}

/** A restart of these in the middle costs more than it mends: sessions, the bus, and the agent that runs us. */
const LEFT_RUNNING = /^(dbus|polkit|systemd-.*|getty@.*|serial-getty@.*|user@.*|(snap\.)?amazon-ssm-agent.*)\.service$/;

/**
 * Which services must be restarted. Pure.
 * @param sinceMs when the change began, in milliseconds since boot; negative when the host was booted later
 */
export function staleServices(units: readonly ShownUnit[], sinceMs: number): string[] {
  return units
    .filter((unit) => unit.type !== "oneshot")
    .filter(
      (unit) =>
        unit.state !== "active" || (sinceMs >= 0 && unit.activeSinceMs >= sinceMs && !LEFT_RUNNING.test(unit.name)),
    )
    .map((unit) => unit.name);
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
