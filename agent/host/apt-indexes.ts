import { existsSync, readFileSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { parseStanzas } from "./apt-output.ts";
import { requireEnded } from "./ended.ts";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** One downloaded Packages index and the Release file it belongs to. */
export interface PackagesIndex {
  readonly baseUri: string;
  /** What the names of its packages' files are relative to; ends with a slash. */
  readonly root: string;
  /** Its name in the Release file: `main/binary-amd64/Packages`. */
  readonly metaKey: string;
  /** File on the host; may be compressed. */
  readonly file: string;
  /** What the lists of its Release have in common: `…_dists_bookworm_`. */
  readonly prefix: string;
}

/** The Packages indexes apt plans from. @throws Failure `signatureInvalid` */
export async function readIndexTargets(machine: Machine): Promise<PackagesIndex[]> {
  const result = await machine.exec("apt-get", ["indextargets", "Identifier: Packages"], {
    deadlineMs: 60_000,
  });
  if (requireEnded(result).exitCode !== 0) {
    // Nothing else makes it fail than a list, mostly a Release file, that apt wrote itself and now cannot read.
    throw new Failure("signatureInvalid", `apt cannot read its own lists: ${result.stderr.trim()}`);
  }
  return parseIndexTargets(result.stdout);
}

/** Pure. @throws Failure `signatureInvalid` for an index whose place among the lists cannot be told */
export function parseIndexTargets(stdout: string): PackagesIndex[] {
  return parseStanzas(stdout).map((fields) => {
    const need = (name: string) => fields.get(name) ?? "";
    const file = need("Filename");
    const metaKey = need("MetaKey");
    const name = metaKey.replaceAll("/", "_");
    const at = file.lastIndexOf(name);
    if (name === "" || at < 0 || !/^(\.[a-z0-9]+)?$/.test(file.slice(at + name.length))) {
      throw new Failure("signatureInvalid", `${file}: no Release file can be told for the index ${metaKey}`);
    }
    return {
      baseUri: need("Base-URI"),
      root: need("Repo-URI").replace(/\/*$/, "/"),
      metaKey,
      file,
      prefix: file.slice(0, at),
    };
  });
}

/** The index's own bytes, uncompressed by apt where it keeps them compressed. */
export async function readIndex(machine: Machine, index: PackagesIndex): Promise<Buffer> {
  const full = onMachine(machine, index.file);
  if (index.file.endsWith("Packages")) return readFileSync(full);
  const result = await machine.exec("/usr/lib/apt/apt-helper", ["cat-file", index.file], {
    deadlineMs: 120_000,
    maxOutputBytes: 512 * 1024 * 1024,
  });
  if (requireEnded(result).exitCode !== 0) throw new Failure("hashMismatch", `${index.file}: ${result.stderr.trim()}`);
  return Buffer.from(result.stdout, "utf8");
}

/** Path of the Release file of an index: signed within (InRelease), or beside (Release and Release.gpg). */
export function releaseFileOf(
  machine: Pick<Machine, "root">,
  prefix: string,
): { release: string; signature: string | null } | null {
  const there = (name: string) => existsSync(onMachine(machine, prefix + name));
  if (there("InRelease")) return { release: `${prefix}InRelease`, signature: null };
  if (there("Release") && there("Release.gpg"))
    return { release: `${prefix}Release`, signature: `${prefix}Release.gpg` };
  return null;
}

/** What an index says of one .deb. */
export interface IndexedPackage {
  readonly sha256: string;
  readonly size: number;
  /** Of its .deb, below the repository's root. */
  readonly filename: string;
}

/** Pure: the stanzas of the wanted packages, by `name architecture version`; the same version may stand there more than once. */
export function findInIndex(bytes: Buffer, wanted: ReadonlySet<string>): Map<string, IndexedPackage[]> {
  // Byte for character: names, versions and hashes are ASCII, and 50 MB need no decoding.
  const text = bytes.toString("latin1");
  const found = new Map<string, IndexedPackage[]>();
  const names = new Set([...wanted].map((key) => key.split(" ")[0]));
  for (let start = 0; start < text.length; ) {
    const gap = text.indexOf("\n\n", start);
    const end = gap < 0 ? text.length : gap;
    const name = text.startsWith("Package: ", start) ? text.slice(start + 9, text.indexOf("\n", start)) : null;
    if (name === null || names.has(name.trim())) collect(text.slice(start, end), wanted, found);
    start = end + 2;
  }
  return found;
}

function collect(stanza: string, wanted: ReadonlySet<string>, found: Map<string, IndexedPackage[]>): void {
  const [fields] = parseStanzas(stanza);
  if (fields === undefined) return;
  const key = `${fields.get("Package")} ${fields.get("Architecture")} ${fields.get("Version")}`;
  if (!wanted.has(key)) return;
  const entry = {
    sha256: (fields.get("SHA256") ?? "").toLowerCase(),
    size: Number(fields.get("Size")),
    filename: fields.get("Filename") ?? "",
  };
  found.set(key, [...(found.get(key) ?? []), entry]);
}
