import { readdirSync, rmSync } from "node:fs";
import { asFailure, Failure } from "../../contract/failures.ts";
import { type Lock, lockDigest } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { PREVIOUS_FOLDER, readPreviousIndex } from "../backup/keep-debs.ts";
import {
  type InstalledVersion,
  type KeptDeb,
  keptOf,
  type MissingDeb,
  missingOf,
  PREVIOUS_FILES,
  type PreviousIndex,
  preferencesText,
  replacedBy,
} from "../backup/previous-debs.ts";
import type { IndexedPackage } from "../host/apt-indexes.ts";
import { copyDeb, DEB_CACHES, debIdentity, debUris, repackDeb } from "../host/deb-sources.ts";
import { dpkgPackages } from "../host/dpkg.ts";
import { closePartial, fetchDeb, fetchTogether, openPartial } from "../host/fetch-deb.ts";
import { fileDigest } from "../host/file-digest.ts";
import { lstatOrNull, onMachine, ownFolder, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { seenBytes } from "./first-seen-record.ts";
import { debFileName } from "./plan.ts";
import { findSigned, verifyReleases } from "./releases.ts";
import type { StepContext } from "./step.ts";
import { simulateWayBack } from "./way-back-simulation.ts";

/** For what has to be fetched or repacked, all of it together. */
const DEADLINE_MS = 180_000;

/** A wanted .deb, what its bytes must be as far as anybody knows, and why it was not to be had so far. */
interface Wanted extends InstalledVersion {
  readonly file: string;
  readonly offers: readonly IndexedPackage[];
  readonly hashes: ReadonlySet<string>;
  readonly tried: string[];
}

/**
 * Gathers the .debs of what a lock replaces or removes: from apt's cache and the last run's archives, the fleet's pool, the archive, by
 * dpkg-repack. What cannot be had is said; only a policy of `required` makes it a failure. To be called before the archives are
 * cleared for the lock.
 * @throws Failure `previousMissing`
 */
export async function gatherPrevious(context: StepContext, lock: Lock): Promise<(KeptDeb | MissingDeb)[]> {
  const { machine, policy } = context;
  if (policy.previousDebs === "off") {
    rmSync(onMachine(machine, PREVIOUS_FOLDER), { recursive: true, force: true });
    return [];
  }
  return await tolerant(context, "could not be gathered", [], () => gather(context, lock));
}

async function gather(context: StepContext, lock: Lock): Promise<(KeptDeb | MissingDeb)[]> {
  const { machine, policy } = context;
  ownFolder(machine, HOST_PATHS.state, 0o700);
  ownFolder(machine, PREVIOUS_FOLDER, 0o700);
  const wanted = await describeWanted(machine, replacedBy(lock, await dpkgPackages(machine)));
  const before = readPreviousIndex(machine, PREVIOUS_FOLDER);
  const until = machine.clock.now().getTime() + DEADLINE_MS;
  const found: (KeptDeb | MissingDeb)[] = [];
  /** Those that are still missing. */
  const without = () => wanted.filter((one) => !found.some((deb) => keyOf(deb) === keyOf(one)));
  for (const one of wanted) {
    const kept = (await alreadyKept(machine, before, one)) ?? (await fromCaches(machine, one));
    if (kept !== null) found.push(kept);
  }
  found.push(...(await fromPool(context, without())));
  found.push(...(await fromArchive(machine, without(), until)));
  for (const one of without()) found.push(await repacked(machine, one, until));
  clear(machine, new Set(found.flatMap((deb) => (deb.from === "missing" ? [] : [deb.file]))));
  const missing = found.filter((deb) => deb.from === "missing");
  if (policy.previousDebs === "required" && missing.length > 0)
    throw new Failure("previousMissing", missing.map((m) => `${m.name} ${m.version}: ${m.why}`).join("; "));
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Asks apt whether the way back by these .debs is clean, and writes down what there is; to be called when the lock's own files are there.
 * @throws Failure `previousMissing` when the policy requires a clean way back and it is none
 */
export async function recordPrevious(
  context: StepContext,
  lock: Lock,
  debs: readonly (KeptDeb | MissingDeb)[],
): Promise<void> {
  if (context.policy.previousDebs === "off") return;
  await tolerant(context, "could not be tried", undefined, () => record(context, lock, debs));
}

async function record(context: StepContext, lock: Lock, debs: readonly (KeptDeb | MissingDeb)[]): Promise<void> {
  const { machine, policy } = context;
  const index: PreviousIndex = { format: 1, lockDigest: lockDigest(lock), debs: [...debs], wayBack: [] };
  const wayBack = await simulateWayBack(machine, lock, keptOf(index), PREVIOUS_FOLDER).catch((error: unknown) => {
    if (policy.previousDebs === "required") throw error;
    return [`was not asked: ${asFailure(error).message}`];
  });
  const write = (name: string, text: string) => writeOwn(machine, `${PREVIOUS_FOLDER}/${name}`, text, 0o600);
  write(PREVIOUS_FILES.preferences, preferencesText(keptOf(index)));
  write(PREVIOUS_FILES.index, `${JSON.stringify({ ...index, wayBack }, null, 1)}\n`);
  const missing = missingOf(index);
  if (missing.length > 0) machine.log.warn(`no .deb of what is installed now: ${missing.join("; ")}`);
  if (wayBack.length > 0) machine.log.warn(`by the previous .debs alone apt ${wayBack.slice(0, 5).join("; ")}`);
  if (policy.previousDebs === "required" && wayBack.length > 0)
    throw new Failure("previousMissing", `the way back by .debs is not clean: apt ${wayBack.slice(0, 10).join("; ")}`);
}

/** The second way back is worth much, but not the run, unless the policy says so. */
async function tolerant<T>(
  { machine, policy }: StepContext,
  what: string,
  instead: T,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (policy.previousDebs === "required") throw error;
    machine.log.warn(`the previous .debs ${what}: ${asFailure(error).message}`);
    return instead;
  }
}

async function describeWanted(machine: Machine, versions: readonly InstalledVersion[]): Promise<Wanted[]> {
  const signed = await signedOffers(machine, new Set(versions.map(keyOf)));
  return versions.map((one) => {
    const offers = signed.get(keyOf(one)) ?? [];
    const hashes = new Set([...offers.map((offer) => offer.sha256), ...seenBytes(machine, one)]);
    return { ...one, file: debFileName(one.name, one.version, one.architecture), offers, hashes, tried: [] };
  });
}

/** What the signed indexes say. Repositories that cannot be verified vouch for nothing here; the verify step is what refuses them. */
async function signedOffers(machine: Machine, keys: ReadonlySet<string>): Promise<Map<string, IndexedPackage[]>> {
  if (keys.size === 0) return new Map();
  try {
    return await findSigned(machine, await verifyReleases(machine), keys);
  } catch (error) {
    machine.log.warn(`no signed index vouches for the previous .debs: ${asFailure(error).message}`);
    return new Map();
  }
}

async function alreadyKept(machine: Machine, before: PreviousIndex | null, one: Wanted): Promise<KeptDeb | null> {
  const kept = before === null ? undefined : keptOf(before).find((deb) => keyOf(deb) === keyOf(one));
  if (kept === undefined || kept.from === "repacked") return null;
  return look(machine, one, kept.from);
}

async function fromCaches(machine: Machine, one: Wanted): Promise<KeptDeb | null> {
  for (const folder of DEB_CACHES) {
    if (!copyDeb(machine, `${folder}/${one.file}`, `${PREVIOUS_FOLDER}/${one.file}`)) continue;
    const kept = await look(machine, one, "cache");
    if (kept !== null) return kept;
  }
  return null;
}

/** Only for what is asked for by its hash. */
async function fromPool({ machine, cloud }: StepContext, absent: readonly Wanted[]): Promise<KeptDeb[]> {
  const known = absent.filter((one) => one.hashes.size > 0);
  if (cloud === undefined || known.length === 0) return [];
  // The SDK is large: loaded only when there is something to ask for.
  const { openPool } = await import("../host/deb-pool.ts");
  const pool = openPool(cloud, { attempts: 2, requestMs: 30_000 });
  try {
    const found: KeptDeb[] = [];
    for (const one of known) {
      const [sha256 = ""] = one.hashes;
      const why = await pool.fetch(machine, sha256, `${PREVIOUS_FOLDER}/${one.file}`);
      const kept = why === null ? await look(machine, one, "pool") : null;
      if (kept !== null) found.push(kept);
      if (why !== null) one.tried.push(why);
    }
    return found;
  } finally {
    pool.close();
  }
}

async function fromArchive(machine: Machine, absent: readonly Wanted[], until: number): Promise<KeptDeb[]> {
  const listed = absent.filter((one) => one.offers.length > 0);
  for (const one of absent) if (one.offers.length === 0) one.tried.push("no repository lists it any more");
  if (listed.length === 0) return [];
  const found: KeptDeb[] = [];
  openPartial(machine);
  try {
    const uris = await debUris(
      machine,
      listed.map((one) => `${one.name}:${one.architecture}=${one.version}`),
    );
    const wanted = listed.flatMap((one) => {
      const [offer] = one.offers;
      const uri = uris.get(one.file);
      return offer === undefined || uri === undefined ? [] : [{ uri, entry: { ...one, ...offer, from: null } }];
    });
    const left = () => Math.max(1_000, until - machine.clock.now().getTime());
    const came = wanted.length === 0 ? [] : await fetchTogether(machine, wanted, left() / 2, PREVIOUS_FOLDER);
    for (const { uri, entry } of wanted.filter((one) => !came.some((there) => there.entry.file === one.entry.file)))
      await fetchDeb(machine, uri, entry, left(), PREVIOUS_FOLDER).catch((error: unknown) =>
        entry.tried.push(asFailure(error).message),
      );
    for (const one of listed) {
      const kept = await look(machine, one, "archive");
      if (kept !== null) found.push(kept);
    }
  } catch (error) {
    for (const one of listed) one.tried.push(asFailure(error).message);
  } finally {
    closePartial(machine);
  }
  return found;
}

async function repacked(machine: Machine, one: Wanted, until: number): Promise<KeptDeb | MissingDeb> {
  const { name, architecture, version, file } = one;
  if (machine.clock.now().getTime() < until) {
    const named = architecture === "all" ? name : `${name}:${architecture}`;
    const why = await repackDeb(machine, named, `${PREVIOUS_FOLDER}/${file}`);
    const kept = why === null ? await look(machine, one, "repacked") : null;
    if (kept !== null) return kept;
    if (why !== null) one.tried.push(why);
  } else one.tried.push(`not within ${DEADLINE_MS / 1_000} s`);
  return { from: "missing", name, architecture, version, why: one.tried.join("; ") };
}

/** The file that lies there now, when it is the very package and of no other bytes than it should have; else it is removed. */
async function look(machine: Machine, one: Wanted, from: KeptDeb["from"]): Promise<KeptDeb | null> {
  const full = onMachine(machine, `${PREVIOUS_FOLDER}/${one.file}`);
  const stat = lstatOrNull(full);
  if (stat === null) return null;
  const sha256 = fileDigest(full);
  const known = one.hashes.has(sha256);
  const { name, architecture, version, file } = one;
  const right = from === "repacked" || known || one.hashes.size === 0;
  if (right && (await debIdentity(machine, `${PREVIOUS_FOLDER}/${one.file}`)) === keyOf(one))
    return { from, name, architecture, version, file, sha256, size: stat.size, verified: known };
  one.tried.push(`${from}: ${right ? "another package" : `SHA-256 ${sha256.slice(0, 12)}…, not what is signed`}`);
  rmSync(full, { force: true });
  return null;
}

function clear(machine: Machine, keep: ReadonlySet<string>): void {
  const folder = onMachine(machine, PREVIOUS_FOLDER);
  for (const name of readdirSync(folder)) if (!keep.has(name)) rmSync(`${folder}/${name}`, { recursive: true });
}

function keyOf(p: InstalledVersion): string {
  return `${p.name} ${p.architecture} ${p.version}`;
}
