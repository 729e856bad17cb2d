import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

let bench: Bench;
let host: AgentHost;
beforeAll(async () => {
  bench = await openBench();
  host = await bench.host();
  expect((await host.step("preflight")).result.outcome).toBe("succeeded");
  expect((await host.step("download")).result.outcome).toBe("succeeded");
});
afterAll(() => bench.close());

const LISTS = "/var/lib/apt/lists";
const DEB = `${HOST_PATHS.archives}/webapp_2.0-1_all.deb`;
const KEYRING = "/etc/apt/keyrings/autopatch-sample.gpg";

test("what was downloaded passes", async () => {
  const { exit, result } = await host.step("verify");
  expect(exit).toBe(0);
  expect(result).toMatchObject({
    outcome: "succeeded",
    data: { lockDigest: expect.stringMatching(/^[0-9a-f]{64}$/), packages: 5, releases: 1 },
  });
});

/** The file on this machine whose name on the host ends so. */
function listed(end: string): string {
  const name = readdirSync(inside(host.root, LISTS)).find((one) => one.endsWith(end));
  return inside(host.root, `${LISTS}/${name}`);
}

function violations(): { code: string; runId: string }[] {
  return host
    .read(`${HOST_PATHS.state}/violations.jsonl`)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** Changes the last byte that fits the pattern's match, keeping the size. */
function flip(file: string, what: RegExp, by: string): void {
  const text = readFileSync(file, "latin1");
  const changed = text.replace(what, by);
  expect(changed).not.toBe(text);
  expect(changed.length).toBe(text.length);
  writeFileSync(file, changed, "latin1");
}

describe("a change behind apt's back is refused, marked in the log and kept", () => {
  interface Attack {
    /** What is saved before and put back after; new ones are removed. */
    readonly file: () => string;
    readonly change: (file: string) => void;
    readonly code: string;
    readonly message: RegExp;
  }
  const onHost = (path: string) => () => inside(host.root, path);
  const attacks: Record<string, Attack> = {
    "a .deb of the same size": {
      file: onHost(DEB),
      change: (file) => {
        const bytes = readFileSync(file);
        bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
        writeFileSync(file, bytes);
      },
      code: "hashMismatch",
      message: /webapp 2\.0-1: .*webapp_2\.0-1_all\.deb has SHA-256 [0-9a-f]{64}, the lock says/,
    },
    "a Packages index that its Release does not list": {
      file: () => listed("_Packages"),
      change: (file) => flip(file, /Package: webapp\n/, "Package: webapq\n"),
      code: "hashMismatch",
      message: /_Packages: its SHA-256 is .*, the signed .*_InRelease says/,
    },
    "an InRelease with one byte changed": {
      file: () => listed("_InRelease"),
      change: (file) => flip(file, /Label: AutoPatch/, "Label: AutoPatcg"),
      code: "signatureInvalid",
      message: /_InRelease: the signature by .* does not match the text/,
    },
    "an InRelease whose signature is gone": {
      file: () => listed("_InRelease"),
      change: (file) => writeFileSync(file, readFileSync(file, "utf8").replace(/-----BEGIN PGP SIGNATURE[\s\S]*/, "")),
      code: "signatureInvalid",
      message: /apt cannot read its own lists: .*_InRelease/s,
    },
    "a source that trusts another key": {
      file: onHost(KEYRING),
      change: (file) => writeFileSync(file, readFileSync("/usr/share/keyrings/debian-archive-keyring.gpg")),
      code: "signatureInvalid",
      message: /_InRelease: it is signed by a key that is not in its source's keyring, [0-9A-F]{16}/,
    },
    "a keyring that others may write": {
      file: onHost(KEYRING),
      change: (file) => chmodSync(file, 0o666),
      code: "pathUnsafe",
      message: /autopatch-sample\.gpg is writable by others \(mode 0666\)/,
    },
    "a .deb that others may write": {
      file: onHost(DEB),
      change: (file) => chmodSync(file, 0o666),
      code: "hashMismatch",
      message: /webapp_2\.0-1_all\.deb belongs to user 0 or is writable by others/,
    },
    "a .deb that is not in the lock": {
      file: onHost(`${HOST_PATHS.archives}/extra_1_all.deb`),
      change: (file) => writeFileSync(file, "extra"),
      code: "outsideLock",
      message: /archives\/extra_1_all\.deb is not in the lock/,
    },
    "an edited lock": {
      file: onHost(HOST_PATHS.lock),
      change: (file) => flip(file, /webapp all 2\.0-1/, "webapp all 2.0-2"),
      code: "lockInvalid",
      message: /locked_versions\.txt was changed since/,
    },
    "a lock that others may write": {
      file: onHost(HOST_PATHS.lock),
      change: (file) => chmodSync(file, 0o666),
      code: "pathUnsafe",
      message: /locked_versions\.txt is writable by others \(mode 0666\)/,
    },
  };

  test.each(Object.entries(attacks))("%s", async (_name, { file, change, code, message }) => {
    const path = file();
    const before = readOrNull(path);
    const count = Number(
      (await host.run("sh", "-c", "cat /var/log/autopatch/*.log | grep -c 'SÉCURITÉ COMPROMISE'")).stdout,
    );
    change(path);
    try {
      const { exit, result } = await host.step("verify");
      expect(result).toMatchObject({ outcome: "failed", code, retryable: false });
      expect("message" in result && result.message).toMatch(message);
      expect(exit).toBe(8);
      expect(violations().at(-1)).toMatchObject({ code, runId: "run-1" });
      const after = await host.run("sh", "-c", "cat /var/log/autopatch/*.log | grep -c 'SÉCURITÉ COMPROMISE'");
      expect(Number(after.stdout)).toBe(count + 1);
    } finally {
      if (before === null) rmSync(path);
      else {
        writeFileSync(path, before);
        chmodSync(path, 0o644);
      }
    }
    expect((await host.step("verify")).result.outcome).toBe("succeeded");
  });

  function readOrNull(path: string): Buffer | null {
    try {
      return readFileSync(path);
    } catch {
      return null;
    }
  }
});

test("a lock of another run is not this run's", async () => {
  const { result } = await host.step("verify", { runId: "run-2" });
  expect(result).toMatchObject({
    outcome: "failed",
    code: "lockMissing",
    message: `${HOST_PATHS.lock} was written for run run-1, not for run-2`,
  });
});

test("a Release past its Valid-Until is refused, unless the host's own apt settings say it lives on a frozen mirror", async () => {
  const old = await bench.otherRepository(new Date(Date.now() - 9 * 86_400_000));
  const other = await bench.host();
  const frozen = (yes: boolean) =>
    other.write("/etc/apt/apt.conf.d/95dates", `Acquire::Check-Valid-Until "${yes ? "false" : "true"}";\n`);
  other.write(KEYRING, readFileSync(old.keyring));
  other.write("/etc/apt/sources.list.d/autopatch-sample.sources", source(old.url, `Signed-By: ${KEYRING}`));
  frozen(true);
  expect((await other.step("preflight")).result.outcome).toBe("succeeded");
  expect((await other.step("download")).result.outcome).toBe("succeeded");
  expect((await other.step("verify")).result.outcome).toBe("succeeded");
  const aged = await other.step("verify", { policy: { maximumMetadataAgeDays: 8 } });
  frozen(false);
  const expired = await other.step("verify");
  expect(aged.result).toMatchObject({ outcome: "failed", code: "metadataStale" });
  expect("message" in aged.result && aged.result.message).toMatch(
    /_InRelease: it is 9 days old \(.*\); 8 are allowed$/,
  );
  expect(expired.result).toMatchObject({ outcome: "failed", code: "metadataStale" });
  expect("message" in expired.result && expired.result.message).toMatch(
    /_InRelease: it was valid until .*, now it is /,
  );
  await other.close();
});

test("a source marked trusted=yes is held to the same rule: unsigned is refused though apt takes it", async () => {
  const unsigned = await bench.otherRepository();
  rmSync(`${unsigned.folder}/dists/stable/InRelease`);
  rmSync(`${unsigned.folder}/dists/stable/Release.gpg`);
  const other = await bench.host();
  other.write("/etc/apt/sources.list.d/autopatch-sample.sources", source(unsigned.url, "Trusted: yes"));
  expect((await other.step("preflight")).result.outcome).toBe("succeeded");
  expect((await other.step("download")).result.outcome).toBe("succeeded");
  const { result } = await other.step("verify");
  expect(result).toMatchObject({ outcome: "failed", code: "signatureInvalid" });
  expect("message" in result && result.message).toMatch(/has no signed Release file/);
  await other.close();
});

function source(url: string, last: string): string {
  return `Types: deb\nURIs: ${url}\nSuites: stable\nComponents: main\n${last}\n`;
}
