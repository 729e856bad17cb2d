import { readFileSync, rmSync } from "node:fs";
import { asFailure } from "../../contract/failures.ts";
import type { Lock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { entriesOfDebs, type KeptDeb, replacedBy } from "../backup/previous-debs.ts";
import { allDebFacts } from "../host/deb-facts.ts";
import { dpkgPackages, nativeArchitecture } from "../host/dpkg.ts";
import { onMachine, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { closeClosedWorld, deviations, openClosedWorld, simulate } from "./closed-world.ts";

const STATUS = `${HOST_PATHS.state}/way-back.status`;

/**
 * Asks apt, before the change, what it would do to go back from it by these .debs: in a closed world of them, on dpkg's status as it
 * will be then.
 * @param folder where the .debs lie
 * @returns what differs from going back exactly, in words
 */
export async function simulateWayBack(
  machine: Machine,
  lock: Lock,
  debs: readonly KeptDeb[],
  folder: string,
): Promise<string[]> {
  const back = lockBack(lock, debs);
  if (back.entries.length + back.removals.length === 0) return [];
  try {
    const { options, command } = await openClosedWorld(machine, back, folder);
    const installed = await dpkgPackages(machine);
    const files = lock.entries.map(({ file, sha256 }) => ({ path: `${HOST_PATHS.archives}/${file}`, sha256 }));
    const stanzas = (await allDebFacts(machine, files)).map(({ control }) => control);
    const before = readFileSync(onMachine(machine, "/var/lib/dpkg/status"), "utf8");
    const replaced = replacedBy(lock, installed).map((p) => `${p.name} ${p.architecture}`);
    writeOwn(machine, STATUS, statusAfter(before, new Set(replaced), stanzas), 0o600);
    const again = lock.removals
      .filter((r) => debs.some((deb) => deb.name === r.name && deb.architecture === r.architecture))
      .map((r) => (r.architecture === "all" ? r.name : `${r.name}:${r.architecture}`));
    const simulation = await simulate(
      machine,
      [...options, "-o", `Dir::State::status=${STATUS}`],
      [...command, "--allow-downgrades", ...again],
    );
    return [...lacking(lock, debs), ...deviations(back, simulation, await nativeArchitecture(machine))];
  } catch (error) {
    const { code, message } = asFailure(error);
    if (code === "outsideLock") return [...lacking(lock, debs), message];
    throw error;
  } finally {
    closeClosedWorld(machine);
    rmSync(onMachine(machine, STATUS), { force: true });
  }
}

/** Pure: what undoing a lock by .debs has to do: the previous versions in, what was new out. */
export function lockBack(lock: Lock, debs: readonly KeptDeb[]): Lock {
  const isNew = lock.entries.filter((entry) => entry.from === null);
  const removals = isNew.map(({ name, architecture, version }) => ({ name, architecture, version }));
  return { release: lock.release, architecture: lock.architecture, entries: entriesOfDebs(debs), removals };
}

/** Pure: previous versions of which there is no .deb. */
function lacking(lock: Lock, debs: readonly KeptDeb[]): string[] {
  const there = new Set(debs.map((deb) => `${deb.name} ${deb.version}`));
  return [...lock.entries.map((e) => ({ name: e.name, version: e.from })), ...lock.removals].flatMap((e) =>
    e.version === null || there.has(`${e.name} ${e.version}`) ? [] : [`has no .deb of ${e.name} ${e.version}`],
  );
}

/**
 * Pure: dpkg's status as it will be: without the stanzas of what is replaced or removed, with those of the new packages.
 * @param replaced `name architecture`
 * @param controls control fields of the new .debs
 */
export function statusAfter(status: string, replaced: ReadonlySet<string>, controls: readonly string[]): string {
  const field = (stanza: string, name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(stanza)?.[1];
  const stays = status
    .split("\n\n")
    .filter((stanza) => !replaced.has(`${field(stanza, "Package")} ${field(stanza, "Architecture")}`))
    .map((stanza) => stanza.trim());
  const comes = controls.map((control) =>
    control.trimEnd().replace(/^Package: .*$/m, (line) => `${line}\nStatus: install ok installed`),
  );
  return `${[...stays, ...comes].filter((stanza) => stanza !== "").join("\n\n")}\n\n`;
}
