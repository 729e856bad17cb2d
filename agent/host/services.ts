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
    ["show", "--timestamp=unix", "--property=Id,Type,ActiveState,ActiveEnterTimestamp", ...before],
    { deadlineMs: DEADLINE_MS },
  );
  const stale = parseShown(shown.stdout).filter(
    (unit) => unit.type !== "oneshot" && (unit.state !== "active" || unit.activeSince * 1_000 >= since.getTime()),
  );
  for (const { name } of stale) await machine.exec("systemctl", ["restart", name], { deadlineMs: DEADLINE_MS });
  return stale.map(({ name }) => name);
}

interface ShownUnit {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  /** Seconds since 1970. */
  readonly activeSince: number;
}

/** Pure: stanzas of `systemctl show --timestamp=unix`. */
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
        activeSince: Number((fields.get("ActiveEnterTimestamp") ?? "").replace("@", "")) || 0,
      };
    });
}
