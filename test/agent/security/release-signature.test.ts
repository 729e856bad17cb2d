import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../agent/host/clock.ts";
import { CommandNotFound, exec } from "../../../agent/host/exec.ts";
import type { Machine } from "../../../agent/host/machine.ts";
import { dearmor } from "../../../agent/security/keyring.ts";
import { issuersOf, listKeys } from "../../../agent/security/openpgp.ts";
import { VERIFIERS, type Verifier, verifiedRelease } from "../../../agent/security/release-signature.ts";

const TEXT = "Origin: AutoPatch\nDate: Tue, 24 Nov 2026 02:00:00 UTC\n- a line with a dash\n trailing\n\nlast\n";
let root: string;
let machine: Machine;
/** Fingerprints by key: `split` signs with a subkey. */
const keys: Record<string, string[]> = {};

/** gpg in a PID namespace of its own, so that its agent ends with it. */
function gpg(...args: string[]): string {
  const isolated = [...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]), "--pid", "--fork"];
  const command = [...isolated, "--kill-child=KILL", "gpg", "--batch", "--yes", "--passphrase", "", ...args];
  const options = { env: { ...process.env, GNUPGHOME: join(root, "h") }, cwd: root, encoding: "utf8" } as const;
  return execFileSync("unshare", command, { ...options, stdio: ["ignore", "pipe", "ignore"] });
}

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "apsig-"));
  const log = { info() {}, warn() {}, error() {}, violation() {} };
  machine = { exec, clock: systemClock, root, log };
  mkdirSync(join(root, "h"), { mode: 0o700 });
  writeFileSync(join(root, "Release"), TEXT);
  writeFileSync(join(root, "other"), "Origin: somebody else\n");
  const past = (time: string) => ["--faked-system-time", time];
  for (const name of ["good", "stranger", "revoked"]) gpg("--quick-generate-key", name, "ed25519", "sign", "never");
  gpg(...past("20250101T000000"), "--quick-generate-key", "expired", "ed25519", "sign", "2026-01-01");
  gpg("--quick-generate-key", "split", "ed25519", "cert", "never");
  const fingerprints = (name: string) =>
    [...gpg("--with-colons", "--list-keys", name).matchAll(/^fpr:+([0-9A-F]+):/gm)].map(([, one]) => one ?? "");
  gpg("--quick-add-key", fingerprints("split")[0] ?? "", "ed25519", "sign", "never");
  for (const name of ["good", "stranger", "revoked", "expired", "split"]) {
    keys[name] = fingerprints(name);
    const when = name === "expired" ? past("20250601T000000") : [];
    gpg(...when, "--local-user", name, "--clearsign", "--output", `${name}.in`, "Release");
    gpg(...when, "--local-user", name, "--armor", "--detach-sign", "--output", `${name}.asc`, "Release");
  }
  gpg("--local-user", "good", "--digest-algo", "SHA1", "--clearsign", "--output", "weak.in", "Release");
  gpg("--local-user", "good", "--local-user", "stranger", "--clearsign", "--output", "both.in", "Release");
  gpg("--local-user", "good", "--clearsign", "--output", "other.in", "other");
  const revocation = readFileSync(join(root, `h/openpgp-revocs.d/${keys.revoked?.[0]}.rev`), "utf8");
  writeFileSync(join(root, "revocation"), revocation.replace(":-----BEGIN", "-----BEGIN"));
  gpg("--import", "revocation");
  gpg("--export", "--output", "known.gpg", "good", "revoked", "expired", "split");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const read = (name: string) => readFileSync(join(root, name), "utf8");

interface Trial {
  /** An InRelease file, or the signature beside Release. */
  readonly file: () => string;
  readonly beside?: true;
  readonly accepted?: () => string[];
  /** Null: the text comes back. */
  readonly why: RegExp | null;
}

const TRIALS: Readonly<Record<string, Trial>> = {
  "signed within": { file: () => read("good.in"), why: null },
  "signed beside": { file: () => read("good.asc"), beside: true, why: null },
  "signed by a subkey": { file: () => read("split.in"), why: null },
  "signed by a second key that nobody knows": { file: () => read("both.in"), why: null },
  "signed by the key its source names": { file: () => read("good.in"), accepted: () => keys.good ?? [], why: null },
  "signed by a subkey of the key its source names": {
    file: () => read("split.in"),
    accepted: () => [keys.split?.[0] ?? ""],
    why: null,
  },
  "signed by another key than its source names": {
    file: () => read("good.in"),
    accepted: () => keys.split ?? [],
    why: /it is signed by another key than the one its source names$/,
  },
  "signed by an unknown key": {
    file: () => read("stranger.in"),
    why: /it is signed by a key that is not in its source's keyring, [0-9A-F]{16}$/,
  },
  "signed by a revoked key": { file: () => read("revoked.in"), why: /it is signed by a revoked key [0-9A-F]{16}/ },
  "signed by a key that has expired since": {
    file: () => read("expired.in"),
    why: /it is signed by an expired key [0-9A-F]{16}/,
  },
  "signed with SHA-1": { file: () => read("weak.in"), why: /its signature uses a broken digest/ },
  "of another text": {
    file: () => read("good.in").replace("Origin: AutoPatch", "Origin: AutoPatcg"),
    why: /the signature by .* does not match the text$/,
  },
  "with another file's signature beside": {
    file: () => read("other.in").replace(/[\s\S]*(?=-----BEGIN PGP SIGNATURE)/, ""),
    beside: true,
    why: /the signature by .* does not match the text$/,
  },
  "not signed": { file: () => TEXT, why: /it does not begin with a signed message$/ },
  "without its signature": {
    file: () => read("good.in").replace(/-----BEGIN PGP SIGNATURE[\s\S]*/, ""),
    why: /it has no signature$/,
  },
  "with an empty signature": {
    file: () => read("good.in").replace(/(BEGIN PGP SIGNATURE-----\n)[\s\S]*(-----END)/, "$1\n$2"),
    why: /it has no valid signature$/,
  },
  "with text before the signed one": {
    file: () => `SHA256:\n forged\n${read("good.in")}`,
    why: /it does not begin with a signed message$/,
  },
  "with text behind the signature": {
    file: () => `${read("good.in")}\nSHA256:\n forged\n`,
    why: /something stands behind it$/,
  },
  "with text among the headers": {
    file: () => read("good.in").replace("Hash: ", "Origin: forged\nHash: "),
    why: /a header other than Hash$/,
  },
  "with two signed messages": {
    file: () => `${read("good.in")}${read("good.in")}`,
    why: /something stands behind it$/,
  },
  "with a dash that is not escaped": {
    file: () => read("good.in").replace("- - a line", "-a line"),
    why: /begins with a dash that is not escaped$/,
  },
  "with carriage returns": { file: () => read("good.in").replaceAll("\n", "\r\n"), why: /it has carriage returns/ },
  "with blanks at a line's end, which no such signature covers": {
    file: () => read("good.in").replace(" trailing\n", " trailing \t\n"),
    why: null,
  },
};

describe.each(VERIFIERS)("%s: a Release", (verifier: Verifier) => {
  test.each(Object.entries(TRIALS))("%s", async (_name, { file, beside, accepted, why }) => {
    writeFileSync(join(root, "file"), file());
    const files = beside ? { release: "/Release", signature: "/file" } : { release: "/file", signature: null };
    const keyring = { packets: readFileSync(join(root, "known.gpg")), fingerprints: accepted?.() ?? [] };

    const verified = verifiedRelease(machine, files, keyring, [verifier]);

    if (why === null) expect(await verified).toBe(TEXT);
    else
      await expect(verified).rejects.toMatchObject({ code: "signatureInvalid", message: expect.stringMatching(why) });
  });
});

test("sqv is asked where gpgv is not installed, and without either the package to install is named", async () => {
  const asked: string[] = [];
  const without = (missing: readonly string[]): Machine => ({
    ...machine,
    exec: async (program, args, options) => {
      asked.push(program);
      if (missing.includes(program)) throw new CommandNotFound(program, new Error("ENOENT"));
      return exec(program, args, options);
    },
  });
  writeFileSync(join(root, "file"), read("good.in"));
  const keyring = { packets: readFileSync(join(root, "known.gpg")), fingerprints: [] };
  const verify = (missing: readonly string[]) =>
    verifiedRelease(without(missing), { release: "/file", signature: null }, keyring);

  expect(await verify(["gpgv"])).toBe(TEXT);
  await expect(verify(["gpgv", "sqv"])).rejects.toMatchObject({
    code: "toolMissing",
    message: "neither gpgv nor sqv is installed: apt-get install gpgv",
  });
  expect(asked).toEqual(["gpgv", "sqv", "gpgv", "sqv"]);
});

test("the keys of a keyring are listed with what they say of their end, and signatures with whom they are by", () => {
  const listed = listKeys(readFileSync(join(root, "known.gpg")));
  const [split = "", signing = ""] = keys.split ?? [];
  const key = (fingerprint = "", primary = fingerprint, expires: Date | null = null) => ({
    fingerprint,
    primary,
    expires,
  });
  expect(listed).toEqual(
    expect.arrayContaining([
      key(keys.good?.[0]),
      key(keys.expired?.[0], keys.expired?.[0], expect.any(Date)),
      key(split),
      key(signing, split),
    ]),
  );
  expect(listed).toHaveLength(5);
  expect(listed.find((one) => one.expires !== null)?.expires?.toISOString()).toMatch(/^2026-01-01T/);
  expect(issuersOf(dearmor(read("split.asc")))).toContain(signing);
  expect(() => listKeys(Buffer.from("no packets"))).toThrow(RangeError);
});
