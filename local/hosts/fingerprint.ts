import { fileURLToPath } from "node:url";
import { exec } from "../../agent/host/exec.ts";
import type { Sandbox } from "../../agent/host/sandbox/sandbox.ts";
import { HostsFailure } from "./failure.ts";
import type { Entry } from "./fingerprint-walk.ts";

/** Everything a host is made of, as far as patching is concerned. */
export interface Fingerprint {
  readonly files: Readonly<Record<string, Entry>>;
  /** Output lines of `dpkg -l` and `apt-mark show…`, by command. */
  readonly packages: Readonly<Record<PackageList, readonly string[]>>;
}

export type PackageList = "dpkg -l" | "apt-mark showauto" | "apt-mark showmanual" | "apt-mark showhold";

/** What is compared of a host's files. */
export const COMPARED = ["/etc", "/usr", "/var/lib"] as const;

/** What is left out of it, and why. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  "/var/lib/apt/lists": "a cache: what apt-get update fetched",
  "/var/lib/amazon": "the SSM agent's own records of the commands it carried out",
  "/var/lib/autopatch": "the agent's own records of the run, which a rollback must not undo",
};

// Without package lists apt reads dpkg's status alone: the same answers in a tenth of the time, and no cache written on the host.
const OFFLINE = ["-o", "Dir::State::Lists=/run/none", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="];

const LISTS: Readonly<Record<PackageList, readonly [string, ...string[]]>> = {
  "dpkg -l": ["dpkg", "-l"],
  "apt-mark showauto": ["apt-mark", ...OFFLINE, "showauto"],
  "apt-mark showmanual": ["apt-mark", ...OFFLINE, "showmanual"],
  "apt-mark showhold": ["apt-mark", ...OFFLINE, "showhold"],
};

const WALK = fileURLToPath(new URL("./fingerprint-walk.ts", import.meta.url));

/**
 * Takes a host's fingerprint from outside: the files by reading the live tree, the packages by asking dpkg and apt.
 * @throws HostsFailure `commandFailed` with what could not be read
 */
export async function takeFingerprint(sandbox: Sandbox): Promise<Fingerprint> {
  const [files, ...lists] = await Promise.all([
    readFiles(sandbox),
    ...Object.values(LISTS).map((list) => readList(sandbox, list)),
  ]);
  const names = Object.keys(LISTS) as PackageList[];
  const packages = Object.fromEntries(names.map((name, at) => [name, lists[at] ?? []])) as Record<
    PackageList,
    string[]
  >;
  return { files, packages };
}

async function readFiles(sandbox: Sandbox): Promise<Record<string, Entry>> {
  // In a user namespace files belong to ids this user has no right over; the namespace's root has.
  const enter = sandbox.privilege === "root" ? [] : ["nsenter", `--target=${sandbox.pid}`, "--user", "--"];
  const program = [process.execPath, WALK, sandbox.root, COMPARED.join(","), Object.keys(LEFT_OUT).join(",")];
  const [file, ...args] = [...enter, ...program] as [string, ...string[]];
  const result = await exec(file, args, { deadlineMs: 120_000, maxOutputBytes: 512 * 1024 * 1024 });
  if (result.exitCode === 0) return JSON.parse(result.stdout) as Record<string, Entry>;
  throw new HostsFailure(
    "commandFailed",
    `${sandbox.root}: its files cannot be read: ${result.stderr.trim().slice(-800)}`,
  );
}

async function readList(sandbox: Sandbox, [file, ...args]: readonly [string, ...string[]]): Promise<string[]> {
  // dpkg -l cuts names to the width it is told.
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", COLUMNS: "1000" };
  const result = await sandbox.exec(file, args, { deadlineMs: 60_000, env });
  if (result.exitCode === 0) return result.stdout.split("\n").filter((line) => line !== "");
  throw new HostsFailure(
    "commandFailed",
    `${file} ${args.join(" ")} ended with ${result.exitCode}: ${result.stderr.trim()}`,
  );
}
