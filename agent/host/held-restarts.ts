import { rmSync } from "node:fs";
import { HOST_PATHS } from "../../contract/names.ts";
import { lstatOrNull, onMachine, ownFolder, readOwn, writeOwn } from "./files.ts";
import { TRANSACTION_VARIABLE } from "./leftovers.ts";
import type { Machine } from "./machine.ts";
import { hasSystemd } from "./systemd.ts";

/** Debian's own place for a rule about which service actions maintainer scripts may carry out. */
const POLICY = "/usr/sbin/policy-rc.d";
const HELD = `${HOST_PATHS.state}/held-restarts`;
const MARK = "# AutoPatch: made for the time of an installation";

/**
 * Restarts and reloads asked for by scripts of our own change are written down and denied; everything else, and everybody else, goes on
 * as if this file were not there. So one that a killed agent left behind is harmless. Stops and starts are not held: a database whose
 * files are replaced must really be stopped, and what was stopped must not stay so for longer than its script wants.
 */
const SCRIPT = `#!/bin/sh
${MARK}; denies nothing outside of it.
[ -n "\${${TRANSACTION_VARIABLE}:-}" ] || exit 0
[ "$1" != --quiet ] || shift
case "$2" in
  restart | try-restart | reload | force-reload | reload-or-restart | try-reload-or-restart)
    echo "$2 $1" >> ${HELD} && exit 101 ;;
esac
exit 0
`;

/** What a maintainer script wanted done to a service. */
export interface HeldAction {
  readonly unit: string;
  readonly action: "restart" | "reload";
}

/**
 * From now on services that maintainer scripts want restarted are restarted later, once. A rule of the administrator's own stays the only
 * one; then nothing is held.
 */
export function holdRestarts(machine: Machine): void {
  if (!hasSystemd(machine)) return;
  dropHold(machine);
  if (lstatOrNull(onMachine(machine, POLICY)) !== null) {
    machine.log.info(
      `${POLICY} is there already and stays in force: services are restarted by their packages as it says`,
    );
    return;
  }
  ownFolder(machine, HOST_PATHS.state, 0o700);
  writeOwn(machine, HELD, "", 0o600);
  writeOwn(machine, POLICY, SCRIPT, 0o755);
}

/** Ends the hold. @returns what was held, each unit once */
export function releaseRestarts(machine: Pick<Machine, "root">): HeldAction[] {
  const held = parseHeld(readOwn(machine, HELD) ?? "");
  dropHold(machine);
  return held;
}

function dropHold(machine: Pick<Machine, "root">): void {
  if (lstatOrNull(onMachine(machine, POLICY))?.isFile() && readOwn(machine, POLICY)?.includes(MARK))
    rmSync(onMachine(machine, POLICY), { force: true });
  rmSync(onMachine(machine, HELD), { force: true });
}

/** Pure: `action unit` a line. A unit that was to be restarted need not be reloaded too. */
export function parseHeld(text: string): HeldAction[] {
  const units = new Map<string, HeldAction["action"]>();
  for (const line of text.split("\n")) {
    const [action = "", name = ""] = line.split(" ");
    if (!/^[\w@.:\\-]+$/.test(name)) continue;
    const unit = /\.[a-z]+$/.test(name) ? name : `${name}.service`;
    if (units.get(unit) !== "restart") units.set(unit, action.includes("restart") ? "restart" : "reload");
  }
  return [...units].map(([unit, action]) => ({ unit, action }));
}
