import type { PatchPolicy } from "../../../contract/request.ts";
import type { Plan } from "../../../contract/step-report.ts";
import { type DpkgSums, readDpkgSums, readOwnedPaths } from "../../host/dpkg-database.ts";
import type { Machine } from "../../host/machine.ts";
import { scanTree, type Tree } from "../../host/tree.ts";
import type { AptFacts } from "../../patch/apt-facts.ts";
import { resolvePlan } from "../../patch/resolver.ts";
import { type Alterations, findAlterations, SYSTEM_SCOPE } from "./alterations.ts";

/** Facts that more than one check needs, each read when it is first asked for. */
export interface SharedFacts {
  sums(): DpkgSums;
  /** Packaged files that are not what they were, configuration files left out; and those apart. */
  alterations(): Promise<Alterations>;
  owned(): ReadonlySet<string>;
  systemTree(): Promise<Tree>;
  plan(): Promise<{ plan: Plan; facts: AptFacts }>;
}

export function sharedFacts(machine: Machine, policy: PatchPolicy): SharedFacts {
  const sums = once(() => readDpkgSums(machine));
  return {
    sums,
    alterations: once(() => findAlterations(machine, sums())),
    owned: once(() => readOwnedPaths(machine)),
    systemTree: once(() => scanTree(machine, SYSTEM_SCOPE)),
    plan: once(() => resolvePlan(machine, policy)),
  };
}

function once<T>(read: () => T): () => T {
  let kept: { value: T } | undefined;
  return () => {
    kept ??= { value: read() };
    return kept.value;
  };
}
