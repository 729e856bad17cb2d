import { fileURLToPath } from "node:url";
import { exec } from "../../agent/host/exec.ts";
import type { Sandbox } from "../../agent/host/sandbox/sandbox.ts";
import { HostsFailure } from "./failure.ts";
import type { Entry } from "./fingerprint-walk.ts";
import { parseAttributes, READ_ATTRIBUTES } from "./fingerprint-xattrs.ts";

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

/** What a host must offer for its fingerprint to be taken. */
export type Seen = Pick<Sandbox, "privilege" | "pid" | "root" | "exec">;

const WALK = fileURLToPath(new URL("./fingerprint-walk.ts", import.meta.url));

/**
 * Takes a host's fingerprint from outside: the files by reading the live tree, the packages by asking dpkg and apt.
 * @throws HostsFailure `commandFailed` with what could not be read
 */
export async function takeFingerprint(sandbox: Seen): Promise<Fingerprint> {
  const [files, attributes, ...lists] = await Promise.all([
    readFiles(sandbox),
    readAttributes(sandbox),
    ...Object.values(LISTS).map((list) => readList(sandbox, list)),
  ]);
  const names = Object.keys(LISTS) as PackageList[];
  const packages = Object.fromEntries(names.map((name, at) => [name, lists[at] ?? []])) as Record<
    PackageList,
    string[]
  >;
  for (const [path, xattrs] of attributes) {
    const entry = files[path];
    if (entry !== undefined) files[path] = { ...entry, xattrs };
  }
  return { files, packages };
}

async function readFiles(sandbox: Seen): Promise<Record<string, Entry>> {
  const program = [process.execPath, WALK, sandbox.root, COMPARED.join(","), Object.keys(LEFT_OUT).join(",")];
  return JSON.parse(await readWith(sandbox, program)) as Record<string, Entry>;
}

/** Node cannot read them, and perl is on every machine that has sandboxes. */
async function readAttributes(sandbox: Seen): Promise<Map<string, string>> {
  const paths = COMPARED.map((path) => `${sandbox.root}${path}`);
  return parseAttributes(await readWith(sandbox, ["perl", "-e", READ_ATTRIBUTES, ...paths]), sandbox.root);
}

async function readWith(sandbox: Seen, program: readonly string[]): Promise<string> {
  // In a user namespace files belong to ids this user has no right over; the namespace's root has.
  const enter = sandbox.privilege === "root" ? [] : ["nsenter", `--target=${sandbox.pid}`, "--user", "--"];
  const [file, ...args] = [...enter, ...program] as [string, ...string[]];
  const result = await exec(file, args, { deadlineMs: 120_000, maxOutputBytes: 512 * 1024 * 1024 });
  if (result.exitCode === 0) return result.stdout;
  throw new HostsFailure(
    "commandFailed",
    `${sandbox.root}: its files cannot be read: ${result.stderr.trim().slice(-800)}`,
  );
}

async function readList(sandbox: Seen, [file, ...args]: readonly [string, ...string[]]): Promise<string[]> {
  // dpkg -l cuts names to the width it is told.
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", COLUMNS: "1000" };
  const result = await sandbox.exec(file, args, { deadlineMs: 60_000, env });
  if (result.exitCode === 0) return result.stdout.split("\n").filter((line) => line !== "");
  throw new HostsFailure(
    "commandFailed",
    `${file} ${args.join(" ")} ended with ${result.exitCode}: ${result.stderr.trim()}`,
  );
}
