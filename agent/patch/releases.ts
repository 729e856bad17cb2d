import { createHash } from "node:crypto";
import { Failure } from "../../contract/failures.ts";
import {
  findInIndex,
  type IndexedPackage,
  type PackagesIndex,
  readIndex,
  readIndexTargets,
  releaseFileOf,
} from "../host/apt-indexes.ts";
import { type AptSource, readAptSources, sourceOf } from "../host/apt-sources.ts";
import type { Machine } from "../host/machine.ts";
import { keyringOf } from "../security/keyring.ts";
import { parseRelease, type ReleaseFile } from "../security/release-file.ts";
import { verifiedRelease } from "../security/release-signature.ts";

/** A Release file whose signature holds, with the indexes that belong to it. */
export interface SignedRelease {
  readonly file: string;
  /** Where it comes from: the repository's address, without user and password. */
  readonly repository: string;
  readonly suite: string;
  readonly release: ReleaseFile;
  /** Of the signed text. */
  readonly sha256: string;
  readonly indexes: readonly PackagesIndex[];
}

/**
 * Verifies the Release file of every repository that apt would plan from, whatever apt itself thinks of it: a source marked
 * trusted=yes is held to the same rule.
 * @throws Failure `signatureInvalid`
 */
export async function verifyReleases(machine: Machine): Promise<SignedRelease[]> {
  const sources = readAptSources(machine);
  const groups = Map.groupBy(await readIndexTargets(machine), (index) => index.prefix);
  return Promise.all([...groups].map(([prefix, indexes]) => verifyRelease(machine, sources, prefix, indexes)));
}

/** Verifies one repository's Release file. @throws Failure `signatureInvalid` */
export async function verifyRelease(
  machine: Machine,
  sources: readonly AptSource[],
  prefix: string,
  indexes: readonly PackagesIndex[],
): Promise<SignedRelease> {
  const baseUri = indexes[0]?.baseUri ?? "";
  const source = sourceOf(sources, baseUri);
  if (source === undefined) {
    throw new Failure("signatureInvalid", `${baseUri}: no source of /etc/apt names this repository`);
  }
  const files = releaseFileOf(machine, prefix);
  if (files === null) {
    throw new Failure("signatureInvalid", `${baseUri} (${source.file}): the repository has no signed Release file`);
  }
  const text = await verifiedRelease(machine, files, keyringOf(machine, source));
  const repository = baseUri.replace(/\/\/[^/@]*@/, "//");
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { file: files.release, repository, suite: source.suite, release: parseRelease(text), sha256, indexes };
}

/** A package of a signed index, and where it is to be had. */
export interface OfferedPackage extends IndexedPackage {
  readonly repository: string;
  /** What its file name is relative to. */
  readonly root: string;
}

/**
 * Finds packages in the indexes of signed Release files. Each index is read once, and its hash is that of the very bytes
 * that are searched.
 * @param wanted `name architecture version`
 * @throws Failure `hashMismatch` when an index is not the one its Release file promises
 */
export async function findSigned(
  machine: Machine,
  releases: readonly SignedRelease[],
  wanted: ReadonlySet<string>,
): Promise<Map<string, OfferedPackage[]>> {
  const found = new Map<string, OfferedPackage[]>();
  for (const { file, release, indexes, repository } of releases) {
    for (const index of indexes) {
      const bytes = await readIndex(machine, index);
      const promised = release.indexes.get(index.metaKey);
      if (promised === undefined) throw new Failure("hashMismatch", `${file} does not list ${index.metaKey}`);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      if (sha256 !== promised.sha256 || bytes.length !== promised.size) {
        throw new Failure(
          "hashMismatch",
          `${index.file}: its SHA-256 is ${sha256}, the signed ${file} says ${promised.sha256}`,
        );
      }
      for (const [key, entries] of findInIndex(bytes, wanted)) {
        const offers = entries.map((entry) => ({ ...entry, repository, root: index.root }));
        found.set(key, [...(found.get(key) ?? []), ...offers]);
      }
    }
  }
  return found;
}
