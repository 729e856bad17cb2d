import { lstatOrNull, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** Whether systemd is PID 1 here. */
export function hasSystemd(machine: Pick<Machine, "root">): boolean {
  return lstatOrNull(onMachine(machine, "/run/systemd/system"))?.isDirectory() ?? false;
}

/** Whether this boot has not come to starting services yet. */
export async function isBooting(machine: Machine): Promise<boolean> {
  if (!hasSystemd(machine)) return false;
  const asked = await machine.exec("systemctl", ["is-system-running"], { deadlineMs: 10_000 });
  return asked.stdout.trim() === "initializing";
}

/** Has systemd read unit files again: what it read at the start of this boot may have been put back since. Its queue of starts stays. */
export async function reloadUnits(machine: Machine): Promise<void> {
  if (!hasSystemd(machine)) return;
  const result = await machine.exec("systemctl", ["daemon-reload"], { deadlineMs: 120_000 });
  if (result.exitCode !== 0) machine.log.warn(`systemctl daemon-reload: ${result.stderr.trim().slice(-400)}`);
}
