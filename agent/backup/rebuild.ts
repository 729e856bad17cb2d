import { Failure } from "../../contract/failures.ts";
import { dpkgPackages, nativeArchitecture } from "../host/dpkg.ts";
import { fileDigest } from "../host/file-digest.ts";
import { onMachine } from "../host/files.ts";
import { machineDigest } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { readFetched } from "./local-files.ts";
import type { Manifest } from "./manifest.ts";
import { expectedChange } from "./package-state.ts";
import { stateFolderNames } from "./path-set.ts";
import { planRebuild, type RebuildFacts, toHash } from "./rebuild-plan.ts";
import type { RestorePlan } from "./restore-plan.ts";

/**
 * Whether a backup is another machine's: fetched from another host's prefix, or made under another machine-id. That alone never makes the
 * backup of a change foreign that was made here: its way back must not hang on a machine-id that somebody sets anew.
 */
export function isForeign(machine: Pick<Machine, "root">, manifest: Manifest): boolean {
  const fetched = readFetched(machine, manifest.id);
  const here = machineDigest(machine);
  const other = here !== null && manifest.machine !== null && manifest.machine !== here;
  return fetched === null ? other && manifest.kind === "complete" : other || !fetched.own;
}

/** @throws Failure `backupForeign` for a backup that cannot make this machine another one */
export async function requireRebuildable(machine: Machine, manifest: Manifest): Promise<void> {
  const from = readFetched(machine, manifest.id)?.from ?? "another machine";
  if (manifest.kind !== "complete") {
    const what = `holds only what a change of ${manifest.changing.length} packages touches`;
    throw new Failure("backupForeign", `${manifest.id} was made by ${from} and ${what}: it cannot rebuild this host`);
  }
  const native = await nativeArchitecture(machine);
  const theirs = manifest.state.packages.find((line) => line.startsWith("dpkg "))?.split(" ")[1];
  if (theirs !== native)
    throw new Failure("backupForeign", `${manifest.id} was made by ${from} on ${theirs}; this host is ${native}`);
}

/** Looks at this machine and decides what must be done so that it is what the other one was. */
export async function planRebuildHere(
  machine: Machine,
  facts: Pick<RebuildFacts, "manifest" | "before" | "now">,
): Promise<RestorePlan> {
  const { manifest, now } = facts;
  const sameContent = new Set<string>();
  for (const { path, sha256 } of toHash(manifest, now))
    if (fileDigest(onMachine(machine, path)) === sha256) sameContent.add(path);
  const theirs = new Set(manifest.state.packages.map((line) => (line.split(" ")[0] ?? "").split(":")[0]));
  const onlyHere = (await dpkgPackages(machine)).filter((p) => !theirs.has(p.name));
  const lock = { release: "none", architecture: "all", entries: [], removals: onlyHere };
  const change = await expectedChange(machine, lock);
  return planRebuild({ ...facts, sameContent, stateFolders: stateFolderNames(change) });
}
