import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { requireEnded } from "../host/ended.ts";
import { CommandNotFound } from "../host/exec.ts";
import { onMachine, ownFolder, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import type { Keyring } from "./keyring.ts";

/**
 * Has gpgv verify a Release file, and returns the text that was signed: of an InRelease file only what lies between its
 * signature's marks, so that nothing put before or behind is ever read.
 * @throws Failure `signatureInvalid` with what gpgv said; `toolMissing` without gpgv
 */
export async function verifiedRelease(
  machine: Machine,
  files: { release: string; signature: string | null },
  keyring: Keyring,
): Promise<string> {
  const scratch = `${HOST_PATHS.state}/verify-${randomBytes(6).toString("hex")}`;
  ownFolder(machine, HOST_PATHS.state, 0o700);
  ownFolder(machine, scratch, 0o700);
  const at = (path: string) => onMachine(machine, path);
  try {
    writeOwn(machine, `${scratch}/keyring.gpg`, keyring.packets, 0o600);
    const args = [
      ["--homedir", at(scratch), "--status-fd", "1", "--keyring", at(`${scratch}/keyring.gpg`)],
      files.signature === null
        ? ["--output", at(`${scratch}/text`), at(files.release)]
        : [at(files.signature), at(files.release)],
    ].flat();
    const result = requireEnded(await machine.exec("gpgv", args, { deadlineMs: 60_000 }));
    const problem = signatureProblem(result.stdout, keyring.fingerprints);
    if (problem !== null) throw new Failure("signatureInvalid", `${files.release}: ${problem}`);
    return readFileSync(at(files.signature === null ? `${scratch}/text` : files.release), "utf8");
  } catch (error) {
    if (error instanceof CommandNotFound)
      throw new Failure("toolMissing", "gpgv is not installed: apt-get install gpgv");
    throw error;
  } finally {
    rmSync(at(scratch), { recursive: true, force: true });
  }
}

/** MD5, SHA-1, RIPEMD-160: RFC 4880, 9.4. */
const WEAK_DIGESTS: ReadonlySet<string> = new Set(["1", "2", "3"]);

/**
 * What is wrong with a signature by gpgv's status lines; null when a good one by an accepted key is among them and none is
 * bad. Pure. As with apt, a further signature by a key the host does not know does no harm.
 * @param accepted fingerprints of the keys that count; all when empty
 */
export function signatureProblem(status: string, accepted: readonly string[]): string | null {
  const lines = status
    .split("\n")
    .filter((line) => line.startsWith("[GNUPG:] "))
    .map((line) => line.slice(9).split(" "));
  const of = (word: string) => lines.filter(([first]) => first === word);
  const bad = of("BADSIG")[0];
  if (bad !== undefined) return `the signature by ${bad.slice(1).join(" ")} does not match the text`;
  const good = new Set(of("GOODSIG").map(([, key]) => key ?? ""));
  const valid = of("VALIDSIG").filter(([, fingerprint = ""]) => [...good].some((key) => fingerprint.endsWith(key)));
  const strong = valid.filter((fields) => !WEAK_DIGESTS.has(fields[8] ?? ""));
  const counted = strong.filter(
    (fields) => accepted.length === 0 || accepted.includes(fields[1] ?? "") || accepted.includes(fields[10] ?? ""),
  );
  if (counted.length > 0) return null;
  if (strong.length > 0) return "it is signed by another key than the one its source names";
  if (valid.length > 0) return "its signature uses a broken digest (MD5, SHA-1 or RIPEMD-160)";
  for (const [word, meaning] of [
    ["REVKEYSIG", "a revoked key"],
    ["EXPKEYSIG", "an expired key"],
    ["EXPSIG", "a signature that has expired, of key"],
    ["NO_PUBKEY", "a key that is not in its source's keyring,"],
  ] as const) {
    const line = of(word)[0];
    if (line !== undefined) return `it is signed by ${meaning} ${line.slice(1).join(" ")}`;
  }
  return "it has no valid signature";
}
