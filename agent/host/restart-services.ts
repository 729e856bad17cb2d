import type { HeldAction } from "./held-restarts.ts";
import type { Machine } from "./machine.ts";
import { type OutdatedUnit, outdatedUnits, ownUnit } from "./mapped-libraries.ts";
import { hasSystemd } from "./systemd.ts";

const DEADLINE_MS = 120_000;
/** By then the step that runs under the SSM agent has answered. */
const DEFERRED_SECONDS = 20;

/** A restart of these in the middle costs more than it mends: sessions, the bus, the network, logins, containers. They wait for a reboot. */
const LEFT_RUNNING =
  /^(dbus(-broker)?|polkit|systemd-(?!journald\.|udevd\.|timesyncd\.).*|(serial-)?getty@.*|user@.*|NetworkManager|wpa_supplicant|networking|ifup@.*|gdm3?|lightdm|sddm|docker|containerd|libvirtd|virtqemud)\.service$/;
/** What carries this very step; its restart waits until the step has answered, and the next one proves that it came back. */
const CARRIES_STEPS = /^(snap\.)?amazon-ssm-agent(\..*)?\.service$/;
/** Last, so that a person who watches loses nothing before everything else is up. Their sessions live on: KillMode=process. */
const LAST = /^sshd?\.service$/;

export interface RestartPlan {
  /** systemd itself runs deleted code, and carries on with new code without a restart of anything. */
  readonly reexec: boolean;
  readonly now: readonly HeldAction[];
  readonly later: readonly string[];
  /** They run deleted code and only a reboot helps. */
  readonly left: readonly OutdatedUnit[];
}

/**
 * What is restarted after an installation, each unit once. Pure.
 * @param held what the packages' own scripts wanted; they know their service, so these are not left running
 * @param own the unit that runs the agent, which cannot restart it from within
 */
export function planRestarts(
  held: readonly HeldAction[],
  outdated: readonly OutdatedUnit[],
  own: string | null,
): RestartPlan {
  const wanted = new Map(held.map((one) => [one.unit, one.action]));
  const stale = outdated.filter(({ unit }) => unit !== "init.scope" && wanted.get(unit) !== "restart");
  const found = divideRestarts(
    stale.map(({ unit }) => unit),
    own,
  );
  for (const unit of [...found.now, ...found.later]) wanted.set(unit, "restart");
  const order = divideRestarts([...wanted.keys()], own);
  // A package that asks for the restart of its own service knows that it can be.
  const now = [...order.left, ...order.now];
  return {
    reexec: outdated.some(({ unit }) => unit === "init.scope"),
    now: now.map((unit) => ({ unit, action: wanted.get(unit) ?? "restart" })),
    later: order.later,
    left: stale.filter(({ unit }) => found.left.includes(unit)),
  };
}

/**
 * Restarts what runs replaced code and what the packages wanted restarted: once each, through deb-systemd-invoke, which starts nothing
 * that is disabled and keeps to the administrator's policy-rc.d.
 * @returns what was done, and what still runs deleted code
 */
export async function restartServices(machine: Machine, held: readonly HeldAction[]): Promise<RestartPlan> {
  if (!hasSystemd(machine)) return { reexec: false, now: [], later: [], left: [] };
  const plan = planRestarts(held, outdatedUnits(machine), ownUnit(machine));
  await systemctl(machine, plan.reexec ? "daemon-reexec" : "daemon-reload");
  for (const { unit, action } of plan.now) {
    const result = await machine.exec("deb-systemd-invoke", [action, unit], { deadlineMs: DEADLINE_MS });
    if (result.exitCode !== 0)
      machine.log.warn(`${unit} could not be ${action}ed: ${result.stderr.trim().slice(-400)}`);
  }
  if (plan.now.length > 0) machine.log.info(`restarted ${plan.now.map(({ unit }) => unit).join(", ")}`);
  for (const unit of plan.later) await restartLater(machine, unit);
  return plan;
}

/** Has systemd restart a unit when this step is over. */
export async function restartLater(machine: Machine, unit: string): Promise<void> {
  const name = `autopatch-restart-${unit.replace(/\.service$/, "")}`;
  const timer = [`--on-active=${DEFERRED_SECONDS}`, "--timer-property=AccuracySec=1s", "--collect", `--unit=${name}`];
  const result = await machine.exec("systemd-run", [...timer, "systemctl", "restart", unit], {
    deadlineMs: DEADLINE_MS,
  });
  if (result.exitCode === 0) machine.log.info(`${unit} is restarted in ${DEFERRED_SECONDS} s, when this has ended`);
  else machine.log.warn(`${unit} could not be scheduled for a restart: ${result.stderr.trim().slice(-400)}`);
}

/** Which of some units can be restarted at once, after this step has ended, or not without a reboot. Pure. */
export function divideRestarts(units: readonly string[], own: string | null) {
  const waits = (unit: string) => unit === own || CARRIES_STEPS.test(unit);
  const stays = (unit: string) => !waits(unit) && (LEFT_RUNNING.test(unit) || unit === "init.scope");
  const now = units.filter((unit) => !waits(unit) && !stays(unit));
  return {
    now: [...now.filter((unit) => !LAST.test(unit)), ...now.filter((unit) => LAST.test(unit))],
    later: units.filter(waits),
    left: units.filter(stays),
  };
}

async function systemctl(machine: Machine, verb: "daemon-reexec" | "daemon-reload"): Promise<void> {
  const result = await machine.exec("systemctl", [verb], { deadlineMs: DEADLINE_MS });
  if (result.exitCode !== 0) machine.log.warn(`systemctl ${verb}: ${result.stderr.trim().slice(-400)}`);
}
