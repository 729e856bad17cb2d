import { rmSync, writeFileSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { Lock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { preferencesText } from "../backup/previous-debs.ts";
import { nativeArchitecture } from "../host/dpkg.ts";
import { onMachine, ownFolder } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { archiveProblem } from "./archives.ts";
import { deviations, openClosedWorld, simulate } from "./closed-world.ts";

/**
 * Asks apt, without changing anything, whether it would do exactly what is locked: in the closed world when the files are there, else
 * with the host's own lists, each package pinned to its locked version.
 * @throws Failure `outsideLock` naming what differs
 */
export async function simulateHere(machine: Machine, lock: Lock): Promise<void> {
  const complete = lock.entries.every((e) => archiveProblem(machine, e, `${HOST_PATHS.archives}/${e.file}`) === null);
  const found = complete ? await inClosedWorld(machine, lock) : await withOwnLists(machine, lock);
  if (found.length > 0) throw new Failure("outsideLock", `apt ${found.slice(0, 10).join("; ")}. Nothing was changed`);
}

async function inClosedWorld(machine: Machine, lock: Lock): Promise<string[]> {
  const world = await openClosedWorld(machine, lock);
  return deviations(lock, await simulate(machine, world.options, world.command), await nativeArchitecture(machine));
}

async function withOwnLists(machine: Machine, lock: Lock): Promise<string[]> {
  const preferences = `${HOST_PATHS.state}/dry-run.preferences`;
  ownFolder(machine, HOST_PATHS.state, 0o700);
  writeFileSync(onMachine(machine, preferences), preferencesText(lock.entries), { mode: 0o600 });
  try {
    const options = ["-o", `Dir::Etc::preferences=${preferences}`, "-o", "APT::Get::AutomaticRemove=false"];
    // Only what is locked may move: everything else that is pending stays out by name of its own plan.
    const installs = lock.entries.map(
      (e) => `${e.name}:${e.architecture === "all" ? "all" : e.architecture}=${e.version}`,
    );
    const removals = lock.removals.map((r) => `${r.name}:${r.architecture}-`);
    const simulation = await simulate(machine, options, ["install", ...installs, ...removals]);
    return deviations(lock, simulation, await nativeArchitecture(machine));
  } finally {
    rmSync(onMachine(machine, preferences), { force: true });
  }
}
