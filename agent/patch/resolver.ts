import { readFileSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { PatchPolicy } from "../../contract/request.ts";
import type { LeftOut, Plan } from "../../contract/step-report.ts";
import { readAptFacts } from "../host/apt.ts";
import { aptRefusal } from "../host/apt-refusal.ts";
import { preferencesFile } from "../host/apt-settings.ts";
import { codeOf, onMachine, ownFolder, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import type { AptFacts } from "./apt-facts.ts";
import { compareVersions } from "./debian-version.ts";
import { recordFirstSeen } from "./first-seen-record.ts";
import { makePlan } from "./plan.ts";
import { type Restricting, type Restriction, restrictingPreferences, restrictionsOf, restricts } from "./restrict.ts";

const PREFERENCES = `${HOST_PATHS.state}/plan.preferences`;
/** Each round keeps out what the one before newly brought in. */
const ROUNDS = 5;
/** Packages kept back whose chain is asked for: each is a run of apt's resolver. */
const EXPLAINED = 10;

/**
 * What apt resolves to right now, from the package lists as they are on the host, when what the policy keeps out cannot be
 * chosen.
 * @throws Failure `resolverFailed` also when apt would remove a package that the policy denies
 */
export async function resolvePlan(
  machine: Machine,
  policy: Pick<PatchPolicy, "operation" | "critical"> & Restricting,
): Promise<{ plan: Plan; facts: AptFacts }> {
  const { facts, kept, options } = await settle(machine, policy);
  const denied = kept.filter((one) => one.reason === "denied").map((one) => one.name);
  const lost = facts.simulation.removals.find((one) => denied.includes(one.name));
  if (lost !== undefined) {
    const way = "hold it with apt-mark, or use auto-update, which removes nothing";
    throw new Failure("resolverFailed", `apt would remove ${lost.name}, which the policy denies to touch: ${way}`);
  }
  const plan = makePlan(facts, policy.critical, kept);
  return { plan: { ...plan, leftOut: await explain(machine, plan.leftOut, kept, options) }, facts };
}

interface Settled {
  readonly facts: AptFacts;
  readonly kept: readonly Restriction[];
  readonly options: readonly string[];
}

/** Asks apt until it chooses nothing more that the policy keeps out. */
async function settle(machine: Machine, policy: Restricting & Pick<PatchPolicy, "operation">): Promise<Settled> {
  const kept = new Map<string, Restriction>();
  const offered = new Map<string, string | null>();
  let options: readonly string[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const facts = await readAptFacts(machine, policy.operation, options);
    const seen = recordFirstSeen(machine, facts.details);
    const found = restricts(policy) ? restrictionsOf(facts, policy, seen, machine.clock.now()) : [];
    const before = kept.size;
    if (round === 0) for (const one of facts.policies) offered.set(`${one.name} ${one.architecture}`, one.candidate);
    for (const one of found) kept.set(`${one.name} ${one.architecture} ${one.candidate}`, one);
    if (kept.size === before) {
      return { facts, kept: [...kept.values()].filter((one) => isPending(one, offered)), options };
    }
    options = await keepOut(machine, [...kept.values()]);
  }
  throw new Failure(
    "resolverFailed",
    `apt still brings in packages that the policy keeps out, after ${ROUNDS} rounds: deny or hold what depends on them`,
  );
}

/** Pure: whether apt by itself would go as far as this version; what lies beyond, as in backports, nobody waits for. */
export function isPending(one: Restriction, offered: ReadonlyMap<string, string | null>): boolean {
  const candidate = offered.get(`${one.name} ${one.architecture}`);
  return candidate === undefined || (candidate !== null && compareVersions(one.candidate, candidate) <= 0);
}

/** Ours stand first, because apt takes the first that fits; the host's own preferences stay in force. */
async function keepOut(machine: Machine, kept: readonly Restriction[]): Promise<string[]> {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const own = readOrEmpty(onMachine(machine, await preferencesFile(machine)));
  writeOwn(machine, PREFERENCES, `${restrictingPreferences(kept)}\n${own}`, 0o600);
  return ["-o", `Dir::Etc::preferences=${PREFERENCES}`];
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}

/** For what apt keeps back: the packages left out that block it, and apt's own words. */
async function explain(
  machine: Machine,
  leftOut: readonly LeftOut[],
  kept: readonly Restriction[],
  options: readonly string[],
): Promise<LeftOut[]> {
  const asked = leftOut.filter((one) => one.reason === "unresolved").slice(0, EXPLAINED);
  const words = await Promise.all(asked.map((one) => aptRefusal(machine, one.name, one.candidate, options)));
  return leftOut.map((one) => {
    const said = words[asked.indexOf(one)] ?? null;
    return said === null ? one : { ...one, message: chain(one.name, said, [...leftOut, ...kept]) };
  });
}

/** Pure: `blocked by webapp-common (denied): …`. */
export function chain(name: string, said: string, out: readonly Pick<LeftOut, "name" | "reason">[]): string {
  const named = new Set(said.split(/[\s:,()]+/));
  const blockers = new Set(
    out.filter((o) => o.name !== name && named.has(o.name)).map((o) => `${o.name} (${o.reason})`),
  );
  const by = [...blockers].join(", ");
  return `${by === "" ? "apt keeps it back" : `blocked by ${by}`}: ${said.slice(0, 600)}`;
}
