import { generateKeyPairSync, sign } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import type { Machine } from "../../../agent/host/machine.ts";
import { readFleetLock, takeFleetLock } from "../../../agent/security/fleet-lock.ts";
import { encodeFleetLock, type FleetLockTerms, openFleetLock } from "../../../contract/fleet-lock.ts";
import type { Lock } from "../../../contract/lock.ts";
import { debianArchitecture } from "../../../local/hosts/sample/repository.ts";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const PEM = publicKey.export({ type: "spki", format: "pem" }).toString();
const KEY = "/etc/autopatch/fleet-lock.pem";
const TRUST = { name: "web", keyFile: KEY, required: false };
const LOCK: Lock = { release: "bookworm", architecture: debianArchitecture(), entries: [], removals: [] };
const TERMS: FleetLockTerms = {
  fleet: "web",
  runId: "run-7",
  issuedAt: "2026-11-20T08:00:00.000Z",
  expiresAt: "2026-11-27T08:00:00.000Z",
  sequence: 7,
};

let root: string;
let machine: Machine;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "autopatch-fleet-"));
  const log = { info() {}, warn() {}, error() {}, violation() {} };
  machine = { exec, clock: { now: () => new Date("2026-11-21T00:00:00Z"), sleep: async () => {} }, root, log };
  mkdirSync(join(root, "etc/autopatch"), { recursive: true });
  mkdirSync(join(root, "var/lib"), { recursive: true });
  writeFileSync(join(root, "etc/os-release"), "VERSION_CODENAME=bookworm\n");
  writeFileSync(join(root, KEY), PEM, { mode: 0o644 });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function documentOf(terms: Partial<FleetLockTerms> = {}, lock: Partial<Lock> = {}) {
  const document = encodeFleetLock({ ...TERMS, ...terms }, { ...LOCK, ...lock });
  const signature = sign("sha256", document, { key: privateKey, dsaEncoding: "der" }).toString("base64");
  return { document, signature, from: "fleet.lock" };
}

function take(terms: Partial<FleetLockTerms>, lock: Partial<Lock> = {}): void {
  const { document, signature } = documentOf(terms, lock);
  const opened = openFleetLock(document, signature, PEM);
  if (typeof opened === "string") throw new Error(opened);
  takeFleetLock(machine, opened);
}

test("a fleet lock for this host is taken, and again, and a later one too", async () => {
  const opened = await readFleetLock(machine, TRUST, documentOf());
  takeFleetLock(machine, opened);
  expect(opened).toMatchObject({ header: { runId: "run-7", sequence: 7 }, lock: LOCK });
  await expect(readFleetLock(machine, TRUST, documentOf())).resolves.toEqual(opened);
  await expect(readFleetLock(machine, { ...TRUST, name: null }, documentOf({ sequence: 8 }))).resolves.toBeDefined();
});

const other = { removals: [{ name: "other", architecture: "all", version: "1" }] };
test.each<[string, () => void, ReturnType<typeof documentOf>, RegExp]>([
  [
    "without a key",
    () => rmSync(join(root, KEY)),
    documentOf(),
    /there is no key to check it with: put the fleet's public key into \/etc\/autopatch\/fleet-lock\.pem/,
  ],
  [
    "with a forged signature",
    () => {},
    { ...documentOf(), document: documentOf({ fleet: "db" }).document },
    /its signature is not by the fleet's key, or the document was changed \(key \/etc/,
  ],
  ["of another fleet", () => {}, documentOf({ fleet: "db" }), /it is for fleet db, this host is of web/],
  [
    "for another release",
    () => {},
    documentOf({}, { release: "trixie" }),
    /it is for trixie .*, this host is bookworm/,
  ],
  [
    "for another architecture",
    () => {},
    documentOf({}, { architecture: "s390x" }),
    /it is for bookworm s390x, this host/,
  ],
  [
    "that has expired",
    () => {},
    documentOf({ expiresAt: "2026-11-20T23:59:59.000Z" }),
    /it expired at 2026-11-20T23:59:59\.000Z, now it is 2026-11-21T00:00:00\.000Z/,
  ],
  [
    "from the future",
    () => {},
    documentOf({ issuedAt: "2026-11-21T00:16:00.000Z" }),
    /it was issued at 2026-11-21T00:16:00\.000Z, and here it is only/,
  ],
  [
    "that is replayed",
    () => take({ sequence: 8, runId: "run-8" }),
    documentOf(),
    /it is number 7 of its fleet, and this host took number 8 of run run-8 already/,
  ],
  [
    "that has a twin",
    () => take({ runId: "run-6" }, other),
    documentOf(),
    /as was the one of run run-6, which had other packages/,
  ],
  [
    "beside a record that cannot be read",
    () => {
      mkdirSync(join(root, "var/lib/autopatch"), { mode: 0o700 });
      writeFileSync(join(root, "var/lib/autopatch/fleet-locks.json"), "{", { mode: 0o600 });
    },
    documentOf(),
    /fleet-locks\.json cannot be read/,
  ],
])("a fleet lock %s is refused", async (_name, prepare, signed, message) => {
  prepare();
  await expect(readFleetLock(machine, TRUST, signed)).rejects.toMatchObject({
    code: "fleetLockRefused",
    message: expect.stringMatching(message),
  });
});

test.each<[string, () => void, RegExp]>([
  ["that others may write", () => chmodSync(join(root, KEY), 0o666), /fleet-lock\.pem is writable by others/],
  [
    "in a folder that others may write to",
    () => chmodSync(join(root, "etc/autopatch"), 0o777),
    /\/etc\/autopatch is writable/,
  ],
  [
    "that is a link",
    () => {
      rmSync(join(root, KEY));
      symlinkSync("/tmp/mine.pem", join(root, KEY));
    },
    /fleet-lock\.pem is a link/,
  ],
])("a key %s is not trusted", async (_name, spoil, message) => {
  spoil();
  await expect(readFleetLock(machine, TRUST, documentOf())).rejects.toMatchObject({
    code: "pathUnsafe",
    message: expect.stringMatching(message),
  });
});
