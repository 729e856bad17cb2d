import { readdirSync, readFileSync } from "node:fs";
import { type AptSource, readAptSources } from "../../host/apt-sources.ts";
import { codeOf, lstatOrNull, onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { type PublicKey, parseKeyring } from "../../host/openpgp.ts";
import { dearmor, keyringOf } from "../keyring.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

const TRUSTED = "/etc/apt/trusted.gpg.d";
const LEGACY = "/etc/apt/trusted.gpg";
/** Keys that end within this many days are told in time. */
const SOON_DAYS = 30;
const DAY_MS = 86_400_000;

/** A key and the file that it lies in. */
export interface KeySeen {
  readonly file: string;
  readonly key: PublicKey;
}

/** The keys that packages are trusted by. */
export const keys: Checker = {
  id: "keys",
  title: "Keys that packages are trusted by",
  run: async ({ machine }) => {
    const legacy = (lstatOrNull(onMachine(machine, LEGACY))?.size ?? 0) > 0;
    return judgeKeys(readKeys(machine), legacy, machine.clock.now());
  },
};

/** Pure. @param legacy whether trusted.gpg is there */
export function judgeKeys(seen: readonly KeySeen[], legacy: boolean, now: Date): Looked {
  const ended = seen.filter(({ key }) => key.revoked || (key.expires !== null && key.expires <= now));
  const ending = seen.filter(
    ({ key }) =>
      key.expires !== null && key.expires > now && key.expires.getTime() <= now.getTime() + SOON_DAYS * DAY_MS,
  );
  return looked(
    draft(
      "keysExpired",
      "high",
      (n) => `${count(n, "key")} ${n === 1 ? "has" : "have"} expired or ${n === 1 ? "was" : "were"} revoked`,
      ended.map(line),
      "Fetch the repository's new keyring package, or its key from its publisher, and remove the old file",
    ),
    draft(
      "keysExpiring",
      "medium",
      (n) => `${count(n, "key")} ${n === 1 ? "expires" : "expire"} within ${SOON_DAYS} days`,
      ending.map(line),
      "Fetch the repository's new keyring before that day, or no update will be accepted",
    ),
    draft(
      "keysWeak",
      "medium",
      (n) =>
        `${count(n, "key")} ${n === 1 ? "is" : "are"} too weak for what ${n === 1 ? "it vouches" : "they vouch"} for`,
      seen.filter(({ key }) => key.weak).map(line),
      "Ask the publisher for a stronger key",
    ),
    draft(
      "legacyTrustedGpg",
      "medium",
      () => `${LEGACY} is in use: each of its keys may sign every repository`,
      legacy ? [LEGACY, ...seen.filter(({ file }) => file === LEGACY).map(line)] : [],
      `Move each key to a file of its own under /usr/share/keyrings, name it with Signed-By, then remove ${LEGACY}`,
    ),
  );
}

function line({ file, key }: KeySeen): string {
  const end = key.revoked
    ? "revoked"
    : key.expires === null
      ? "no end"
      : `expires ${key.expires.toISOString().slice(0, 10)}`;
  return `${file}: ${key.userId || "no name"}, ${key.fingerprint.slice(-16)}, ${key.algorithm}, ${end}`;
}

/** Every key that a source names or the host trusts as a whole, each file once. */
function readKeys(machine: Pick<Machine, "root">): KeySeen[] {
  const files = new Set<string>([LEGACY, ...names(machine, TRUSTED).map((name) => `${TRUSTED}/${name}`)]);
  const blocks: AptSource[] = [];
  for (const source of readAptSources(machine)) {
    const words = (source.signedBy ?? "").split(/[\s,]+/).filter((word) => word.startsWith("/"));
    for (const word of words) files.add(word);
    if (source.signedBy?.includes("-----BEGIN PGP") === true) blocks.push(source);
  }
  const inFiles = [...files].flatMap((file) => {
    const bytes = read(machine, file);
    const armoured = bytes.includes("-----BEGIN PGP PUBLIC KEY BLOCK-----");
    return parseKeyring(armoured ? dearmor(bytes.toString("latin1")) : bytes).map((key) => ({ file, key }));
  });
  const inBlocks = blocks.flatMap((source) =>
    parseKeyring(keyringOf(machine, source).packets).map((key) => ({ file: source.file, key })),
  );
  const once = new Map([...inFiles, ...inBlocks].map((seen) => [`${seen.file} ${seen.key.fingerprint}`, seen]));
  return [...once.values()];
}

function read(machine: Pick<Machine, "root">, file: string): Buffer {
  try {
    return readFileSync(onMachine(machine, file));
  } catch (error) {
    // A keyring that is not there is what the check of the package lists tells.
    if (codeOf(error) === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

function names(machine: Pick<Machine, "root">, folder: string): string[] {
  try {
    return readdirSync(onMachine(machine, folder)).filter((name) => /\.(gpg|asc)$/.test(name));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}
