import type { ListedKey } from "./openpgp.ts";

/** How a refused signature is described, whichever program looked at it. */
const SAID = {
  mismatch: (by: string) => `the signature by ${by} does not match the text`,
  otherKey: "it is signed by another key than the one its source names",
  weak: "its signature uses a broken digest (MD5, SHA-1 or RIPEMD-160)",
  by: (whom: string) => `it is signed by ${whom}`,
  none: "it has no valid signature",
} as const;

/** MD5, SHA-1, RIPEMD-160: RFC 4880, 9.4. */
const WEAK_DIGESTS: ReadonlySet<string> = new Set(["1", "2", "3"]);

/**
 * What is wrong with a signature by gpgv's status lines; null when a good one by an accepted key is among them and none is
 * bad. Pure. As with apt, a further signature by a key the host does not know does no harm.
 * @param accepted fingerprints of the keys that count; all when empty
 */
export function gpgvProblem(status: string, accepted: readonly string[]): string | null {
  const lines = status
    .split("\n")
    .filter((line) => line.startsWith("[GNUPG:] "))
    .map((line) => line.slice(9).split(" "));
  const of = (word: string) => lines.filter(([first]) => first === word);
  const bad = of("BADSIG")[0];
  if (bad !== undefined) return SAID.mismatch(bad.slice(1).join(" "));
  const good = new Set(of("GOODSIG").map(([, key]) => key ?? ""));
  const valid = of("VALIDSIG").filter(([, fingerprint = ""]) => [...good].some((key) => fingerprint.endsWith(key)));
  const strong = valid.filter((fields) => !WEAK_DIGESTS.has(fields[8] ?? ""));
  const counted = strong.filter(
    (fields) => accepted.length === 0 || accepted.includes(fields[1] ?? "") || accepted.includes(fields[10] ?? ""),
  );
  if (counted.length > 0) return null;
  if (strong.length > 0) return SAID.otherKey;
  if (valid.length > 0) return SAID.weak;
  for (const [word, meaning] of [
    ["REVKEYSIG", "a revoked key"],
    ["EXPKEYSIG", "an expired key"],
    ["EXPSIG", "a signature that has expired, of key"],
    ["NO_PUBKEY", "a key that is not in its source's keyring,"],
  ] as const) {
    const line = of(word)[0];
    if (line !== undefined) return SAID.by(`${meaning} ${line.slice(1).join(" ")}`);
  }
  return SAID.none;
}

/** What sqv, with --verbose, said of a signature, and what it does not look at. */
export interface SqvAnswer {
  readonly exitCode: number | null;
  /** Fingerprints of the primary keys of good signatures, one a line. */
  readonly stdout: string;
  readonly stderr: string;
  readonly keys: readonly ListedKey[];
  /** Whom the signatures say they are by. */
  readonly issuers: readonly string[];
}

/**
 * The same of sqv. Pure. sqv holds a key to be as good as it was when it signed: that it has expired since is found here. A source
 * that names a subkey's fingerprint is refused, as by apt where it uses sqv.
 */
export function sqvProblem(answer: SqvAnswer, accepted: readonly string[], now: Date): string | null {
  const { exitCode, stdout, stderr, keys, issuers } = answer;
  if (/has been manipulated/.test(stderr)) return SAID.mismatch(issuers.at(-1) ?? "an unknown key");
  const good = stdout.split("\n").filter((line) => /^[0-9A-F]{40}([0-9A-F]{24})?$/.test(line));
  if (exitCode !== 0 || good.length === 0) return refusalOf(stderr);
  const counted = good.filter((fingerprint) => accepted.length === 0 || accepted.includes(fingerprint));
  if (counted.length === 0) return SAID.otherKey;
  const problems = counted.map((primary) => {
    const involved = keys.filter(
      (key) =>
        key.primary === primary &&
        (key.fingerprint === primary || issuers.some((one) => key.fingerprint.endsWith(one))),
    );
    const expired = involved.find(({ expires }) => expires !== null && expires <= now);
    if (involved.length > 0 && expired === undefined) return null;
    return SAID.by(`an expired key ${(expired?.fingerprint ?? primary).slice(-16)}`);
  });
  return problems.includes(null) ? null : (problems[0] ?? SAID.none);
}

function refusalOf(stderr: string): string {
  const missing = /Missing key ([0-9A-F]+)/.exec(stderr)?.[1];
  const key = /Signing key on ([0-9A-F]+)/.exec(stderr)?.[1]?.slice(-16) ?? "";
  if (/is not considered secure/.test(stderr)) return SAID.weak;
  if (/revoked/.test(stderr)) return SAID.by(`a revoked key ${key}`);
  if (/expired|not live/i.test(stderr)) return SAID.by(`an expired key ${key}`);
  if (missing !== undefined) return SAID.by(`a key that is not in its source's keyring, ${missing.slice(-16)}`);
  return SAID.none;
}
