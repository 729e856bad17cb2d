import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { onMachine, writeOwn } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { hasSystemd } from "../../host/services.ts";
import { carriedOut, type Measure, removeDropIn } from "./measure.ts";
import { LOCKDOWN_COPY, LOCKDOWN_RECORD } from "./record.ts";

/** Holds a unit back whoever starts it, also at boot, for as long as there is a record of a lockdown. */
const HOLD = `# Written by autopatch-manager.sh emergency-lockdown, removed by --release.
[Unit]
ConditionPathExists=!${LOCKDOWN_RECORD}
ConditionPathExists=!${LOCKDOWN_COPY}
`;

/** Network-facing services stopped, and not started again before the release. */
export const services: Measure = {
  name: "network-facing services",

  async engage(machine, { units }) {
    if (units.length === 0) return [];
    for (const { name } of units) {
      mkdirSync(dirname(onMachine(machine, dropInOf(name))), { recursive: true, mode: 0o755 });
      writeOwn(machine, dropInOf(name), HOLD);
    }
    const names = units.map(({ name }) => name);
    return [
      ...(await carriedOut(machine, "systemctl", ["daemon-reload"])),
      ...(await carriedOut(machine, "systemctl", ["stop", ...names], { deadlineMs: 300_000 })),
    ];
  },

  async release(machine, { units }) {
    if (units.length === 0) return [];
    for (const { name } of units) removeDropIn(machine, dropInOf(name));
    const active = units.filter((unit) => unit.active).map(({ name }) => name);
    const problems = await carriedOut(machine, "systemctl", ["daemon-reload"]);
    if (active.length === 0) return problems;
    return [...problems, ...(await carriedOut(machine, "systemctl", ["start", ...active], { deadlineMs: 300_000 }))];
  },
};

/** Sockets that systemd itself holds open for others outside this host, with the services they start. */
export async function outsideSockets(machine: Machine): Promise<string[]> {
  if (!hasSystemd(machine)) return [];
  const shown = await machine.exec("systemctl", ["show", "*.socket", "--property=Id,ActiveState,Listen,Triggers"], {
    deadlineMs: 60_000,
  });
  return parseSockets(shown.stdout);
}

/** Pure: stanzas of `systemctl show` for socket units; Listen stands once for each address. */
export function parseSockets(stdout: string): string[] {
  return stdout.split(/\n\n+/).flatMap((stanza) => {
    const values = (key: string) =>
      stanza.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));
    const outside = values("Listen").some(
      (address) => /^[^/@].*:\d+ \(/.test(address) && !/^(127\.|\[::1\])/.test(address),
    );
    if (values("ActiveState")[0] !== "active" || !outside) return [];
    return [...values("Id"), ...values("Triggers").flatMap((names) => names.split(" ").filter((name) => name !== ""))];
  });
}

/** Which of these units are active. */
export async function activeOf(
  machine: Machine,
  names: readonly string[],
): Promise<{ name: string; active: boolean }[]> {
  if (names.length === 0 || !hasSystemd(machine)) return [];
  const shown = await machine.exec("systemctl", ["is-active", ...names], { deadlineMs: 60_000 });
  const words = shown.stdout.trim().split("\n");
  return names.map((name, i) => ({ name, active: words[i] === "active" || words[i] === "activating" }));
}

function dropInOf(unit: string): string {
  return `/etc/systemd/system/${unit}.d/autopatch-lockdown.conf`;
}
