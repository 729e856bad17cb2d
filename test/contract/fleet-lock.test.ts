import { generateKeyPairSync, sign } from "node:crypto";
import { expect, test } from "vitest";
import { encodeFleetLock, fleetLockDigest, openFleetLock } from "../../contract/fleet-lock.ts";
import { type Lock, lockDigest } from "../../contract/lock.ts";

const LOCK: Lock = {
  release: "bookworm",
  architecture: "amd64",
  entries: [
    {
      name: "openssl",
      architecture: "amd64",
      version: "3.0.18-1~deb12u1",
      from: "3.0.17-1~deb12u2",
      sha256: "a".repeat(64),
      size: 1_000,
      file: "openssl_3.0.18-1~deb12u1_amd64.deb",
    },
  ],
  removals: [],
};
const TERMS = {
  fleet: "web",
  runId: "run-1",
  issuedAt: "2026-11-20T08:00:00.000Z",
  expiresAt: "2026-11-27T08:00:00.000Z",
  sequence: 7,
};
const keys = (namedCurve: string) => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve });
  return { pem: publicKey.export({ type: "spki", format: "pem" }).toString(), privateKey };
};
const { pem, privateKey } = keys("P-256");
const signed = (document: Buffer, key = privateKey) =>
  sign("sha256", document, { key, dsaEncoding: "der" }).toString("base64");
const DOCUMENT = encodeFleetLock(TERMS, LOCK);

test("what is signed is what is read back, and the lock in it is the text that sha256sum reads", () => {
  const header = { format: "autopatch-fleet-lock/1", ...TERMS, release: "bookworm", architecture: "amd64" };
  expect(openFleetLock(DOCUMENT, `${signed(DOCUMENT)}\n`, pem)).toEqual({
    header: { ...header, lockDigest: lockDigest(LOCK) },
    lock: LOCK,
  });
  expect(DOCUMENT.toString().split("\n")[1]).toBe("# AutoPatch lock 1");
  expect(fleetLockDigest(DOCUMENT)).toHaveLength(32);
});

const changed = (from: string, to: string) => Buffer.from(DOCUMENT.toString().replace(from, to));
const P384 = keys("P-384");
test.each<[string, Buffer, string, string, string | RegExp]>([
  ["another byte", changed("web", "wab"), signed(DOCUMENT), pem, /^its signature is not by the fleet's key/],
  ["a byte more", Buffer.concat([DOCUMENT, Buffer.from("\n")]), signed(DOCUMENT), pem, /^its signature is not by/],
  ["another key's signature", DOCUMENT, signed(DOCUMENT, keys("P-256").privateKey), pem, /^its signature is not by/],
  ["no signature", DOCUMENT, "", pem, "its signature is not base64 of an ECDSA signature"],
  ["a key of another curve", DOCUMENT, signed(DOCUMENT, P384.privateKey), P384.pem, "the fleet's key is no P-256 key"],
  ["a key that is none", DOCUMENT, signed(DOCUMENT), "hello", "the fleet's key is not a public key in PEM"],
  [
    "a header for another release, signed",
    changed('"release":"bookworm"', '"release":"trixie"'),
    signed(changed('"release":"bookworm"', '"release":"trixie"')),
    pem,
    "it is signed, but cannot be read: its header says release trixie, its lock bookworm",
  ],
  [
    "a lock under another's header, signed",
    changed(lockDigest(LOCK), "0".repeat(64)),
    signed(changed(lockDigest(LOCK), "0".repeat(64))),
    pem,
    "it is signed, but cannot be read: its header names another lock than it carries",
  ],
  [
    "another text, signed",
    Buffer.from("{}\n"),
    signed(Buffer.from("{}\n")),
    pem,
    /^it is signed, but cannot be read: /,
  ],
])("a document with %s is refused", (_name, document, signature, key, why) => {
  const answer = openFleetLock(document, signature, key);
  if (typeof why === "string") expect(answer).toBe(why);
  else expect(answer).toMatch(why);
});
