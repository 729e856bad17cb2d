import { Failure } from "../../../contract/failures.ts";
import { type Listener, listeners } from "../../host/listening.ts";
import type { Machine } from "../../host/machine.ts";
import { collectEvidence } from "../forensics/collect.ts";
import { accounts, currentAccounts } from "./accounts.ts";
import { sshPorts, unitsToStop, unreachedListeners } from "./decide.ts";
import { firewall } from "./firewall.ts";
import type { Measure } from "./measure.ts";
import { packages, selections } from "./packages.ts";
import { type LockdownRecord, readLockdown, removeLockdown, writeLockdown } from "./record.ts";
import { activeOf, outsideSockets, services } from "./services.ts";

/** In this order when engaged: first nobody comes in, then what could be used is taken away. Released the other way round. */
const MEASURES: readonly Measure[] = [firewall, packages, services, accounts];

export interface LockdownAnswer {
  readonly record: LockdownRecord;
  /** What could not be done, in sentences; empty when all of it holds. */
  readonly problems: readonly string[];
  /** Listens to others and could not be stopped as a unit: only the firewall is before it. */
  readonly unreached: readonly Listener[];
}

/** What a lockdown would do on this host as it is. Changes nothing. */
export async function planLockdown(machine: Machine, full: boolean): Promise<LockdownRecord> {
  const found = listeners(machine);
  const units = full ? await activeOf(machine, unitsToStop(found, await outsideSockets(machine))) : [];
  return {
    format: 1,
    at: machine.clock.now().toISOString(),
    full,
    sshPorts: sshPorts(found),
    selections: await selections(machine),
    units,
    accounts: full ? currentAccounts(machine) : [],
    evidence: null,
  };
}

/**
 * Locks the host down. What it was is on disk before anything is changed; called again, it goes on from there, and a lockdown that was
 * not full becomes so.
 * @throws Failure `lockedDown` when the record of an earlier one cannot be read
 */
export async function engageLockdown(machine: Machine, full: boolean): Promise<LockdownAnswer> {
  const before = readLockdown(machine);
  let record = writeLockdown(machine, merged(before, await planLockdown(machine, full || before?.full === true)));
  const unreached = unreachedListeners(listeners(machine));
  const problems: string[] = [];
  for (const measure of MEASURES) {
    machine.log.warn(`lockdown: ${measure.name}`);
    problems.push(...(await attempt(measure, () => measure.engage(machine, record))));
    // What is running and who is there is kept before services are stopped, but after the door was closed.
    if (measure === firewall && record.evidence === null)
      problems.push(
        ...(await attempt({ name: "evidence" }, async () => {
          const { folder } = await collectEvidence(machine);
          record = writeLockdown(machine, { ...record, evidence: folder });
          return [];
        })),
      );
  }
  return { record, problems, unreached };
}

/**
 * Has a lockdown hold again after files were put back, which were of before it.
 * @returns null when the host is not locked down
 * @throws Failure `lockdownIncomplete`; `lockedDown` when its record cannot be read
 */
export async function holdLockdown(machine: Machine): Promise<LockdownRecord | null> {
  const before = readLockdown(machine);
  if (before === null) return null;
  const { record, problems } = await engageLockdown(machine, before.full);
  if (problems.length > 0) throw new Failure("lockdownIncomplete", problems.join("; "));
  return record;
}

/**
 * Puts back exactly what was there before the lockdown.
 * @returns null when the host is not locked down
 */
export async function releaseLockdown(machine: Machine): Promise<LockdownAnswer | null> {
  const record = readLockdown(machine);
  if (record === null) return null;
  const problems: string[] = [];
  for (const measure of MEASURES.toReversed())
    problems.push(...(await attempt(measure, () => measure.release(machine, record))));
  if (problems.length === 0) problems.push(...(await differences(machine, record)));
  if (problems.length === 0) removeLockdown(machine);
  return { record, problems, unreached: [] };
}

/** The first record of a lockdown is what the host was; a later one only adds what the first did not look at. */
function merged(before: LockdownRecord | null, now: LockdownRecord): LockdownRecord {
  if (before === null) return now;
  const known = new Set(before.units.map(({ name }) => name));
  return {
    ...before,
    full: now.full,
    units: [...before.units, ...now.units.filter(({ name }) => !known.has(name))],
    accounts: before.full ? before.accounts : now.accounts,
  };
}

/** What is not as the record says, once everything was put back. */
async function differences(machine: Machine, record: LockdownRecord): Promise<string[]> {
  const held = await selections(machine);
  const wrong = Object.entries(record.selections).filter(
    ([name, was]) => held[name] !== undefined && held[name] !== was,
  );
  const expiry = new Map(currentAccounts(machine).map(({ name, expires }) => [name, expires]));
  const locked = record.accounts.filter(({ name, expires }) => expiry.has(name) && expiry.get(name) !== expires);
  const active = await activeOf(
    machine,
    record.units.filter((unit) => unit.active).map(({ name }) => name),
  );
  return [
    ...wrong.map(([name, was]) => `package ${name}: its selection was ${was}, it is ${held[name]}`),
    ...locked.map(({ name }) => `account ${name}: its expiry is not what it was`),
    ...active.filter((unit) => !unit.active).map(({ name }) => `${name} was active, it is not`),
  ];
}

async function attempt({ name }: Pick<Measure, "name">, work: () => Promise<string[]>): Promise<string[]> {
  try {
    return (await work()).map((problem) => `${name}: ${problem}`);
  } catch (error) {
    return [`${name}: ${error instanceof Failure ? error.message : String(error)}`];
  }
}
