import { readdirSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { AptSource } from "../host/apt-sources.ts";
import { codeOf, onMachine, readTrusted } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/** The keys that may sign a repository's Release file. */
export interface Keyring {
  /** OpenPGP packets of all keys, as gpgv reads them. */
  readonly packets: Buffer;
  /** When not empty, only these keys of them, by fingerprint. */
  readonly fingerprints: readonly string[];
}

/**
 * The keys a source trusts: those it names in Signed-By (files, fingerprints, or a key block), else those of the whole host.
 * @throws Failure `signatureInvalid` when a named keyring is not there; `pathUnsafe` when somebody else could have written one
 */
export function keyringOf(machine: Pick<Machine, "root">, source: AptSource): Keyring {
  const { signedBy } = source;
  if (signedBy?.includes("-----BEGIN PGP PUBLIC KEY BLOCK-----")) {
    return { packets: dearmor(signedBy.replace(/^\.$/gm, "")), fingerprints: [] };
  }
  const words = (signedBy ?? "").split(/[\s,]+/).filter((word) => word !== "");
  const paths = words.filter((word) => word.startsWith("/"));
  const fingerprints = words
    .filter((word) => !word.startsWith("/"))
    .map((word) => word.replace(/!$/, "").toUpperCase());
  const files = paths.length > 0 ? paths : hostKeyrings(machine);
  const packets = files.map((file) => {
    try {
      return dearmorIfNeeded(readTrusted(machine, file));
    } catch (cause) {
      if (cause instanceof Failure) throw cause;
      throw new Failure("signatureInvalid", `${source.file}: the keyring ${file} cannot be read`, { cause });
    }
  });
  return { packets: Buffer.concat(packets), fingerprints };
}

function hostKeyrings(machine: Pick<Machine, "root">): string[] {
  const folder = "/etc/apt/trusted.gpg.d";
  const names = entries(onMachine(machine, folder)).filter((name) => /\.(gpg|asc)$/.test(name));
  const single = entries(onMachine(machine, "/etc/apt")).includes("trusted.gpg") ? ["/etc/apt/trusted.gpg"] : [];
  return [...single, ...names.sort().map((name) => `${folder}/${name}`)];
}

/** The packets of a keyring or a signature, armoured or not. */
export function dearmorIfNeeded(bytes: Buffer): Buffer {
  return bytes.includes("-----BEGIN PGP ") ? dearmor(bytes.toString("latin1")) : bytes;
}

/** Every armoured block of a text as OpenPGP packets (RFC 4880, 6.2): headers up to the empty line, base64, checksum. */
export function dearmor(text: string): Buffer {
  const blocks = text.matchAll(
    /-----BEGIN PGP (PUBLIC KEY BLOCK|SIGNATURE)-----([\s\S]*?)-----END PGP (PUBLIC KEY BLOCK|SIGNATURE)-----/g,
  );
  return Buffer.concat(
    [...blocks].map(([, , block = ""]) => {
      const lines = block.split("\n").map((line) => line.trim());
      const body = lines.filter((line) => line !== "" && !line.includes(": ") && !line.startsWith("="));
      return Buffer.from(body.join(""), "base64");
    }),
  );
}

function entries(full: string): string[] {
  try {
    return readdirSync(full);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
