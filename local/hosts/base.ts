import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { statfs } from "node:fs/promises";
import { arch, homedir } from "node:os";
import { basename, join } from "node:path";
import { type Exec, exec } from "../../agent/host/exec.ts";
import { detectPrivilege, type Privilege } from "../../agent/host/sandbox/privilege.ts";
import { removeTree } from "../../agent/host/sandbox/sandbox.ts";
import { type BaseRecipe, type BaseSuite, type BaseVariant, baseRecipe, recipeDigest } from "./base-recipe.ts";
import { bootstrap } from "./bootstrap.ts";
import { findBootstrapper } from "./bootstrapper.ts";
import { takeBuildLock } from "./build-lock.ts";
import { HostsFailure } from "./failure.ts";
import { type MachineArchive, readMachineArchive } from "./machine-archive.ts";

const LOCK_DEADLINE_MS = 15 * 60_000;

/** A bootstrapped Debian root that hosts lie over; never written to once it is there. */
export interface Base {
  readonly variant: BaseVariant;
  readonly suite: BaseSuite;
  readonly root: string;
  readonly archive: MachineArchive;
  readonly privilege: Privilege;
  /** True when it was there already. */
  readonly cached: boolean;
}

export interface BaseOptions {
  readonly variant: BaseVariant;
  /** @default "bookworm" */
  readonly suite?: BaseSuite;
  /** Folder for bases. @default $XDG_CACHE_HOME/autopatch or ~/.cache/autopatch */
  readonly cacheFolder?: string;
  /** @default read from this machine's apt */
  readonly archive?: MachineArchive;
  /** Told what is going on, a phrase at a time. */
  readonly onProgress?: (phase: string) => void;
  readonly signal?: AbortSignal;
}

export function defaultCacheFolder(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(environment.HOME || homedir(), ".cache"), "autopatch");
}

/**
 * The cached base, built first when it is missing. Runs that want the same one at the same time share one build; a build that was
 * killed leaves nothing that looks finished, and the next one removes what it left.
 * @throws HostsFailure `registryUnreachable`, `spaceMissing`, `archiveMissing`, `toolMissing`
 * @throws SandboxFailure `privilegeMissing`
 */
export async function openBase(options: BaseOptions): Promise<Base> {
  const progress = options.onProgress ?? (() => {});
  const recipe = baseRecipe(options.variant, options.suite);
  const privilege = await detectPrivilege(exec);
  const archive = options.archive ?? (await readMachineArchive(exec, process.env));
  const cache = options.cacheFolder ?? defaultCacheFolder();
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  chmodSync(cache, 0o700);
  const suffix = privilege === "root" ? "" : "-user";
  const folder = join(cache, `base-${recipeDigest(recipe, arch())}${suffix}`);
  const base = { variant: recipe.variant, suite: recipe.suite, root: join(folder, "root"), archive, privilege };
  if (existsSync(folder)) return { ...base, cached: true };
  const lock = await takeBuildLock(`${folder}.lock`, LOCK_DEADLINE_MS, (holder) =>
    progress(`waiting for process ${holder}, which builds the base`),
  );
  try {
    if (existsSync(folder)) return { ...base, cached: true };
    await sweepBuilds(cache, basename(folder), privilege);
    await requireSpace(cache, recipe);
    const program = await findBootstrapper(exec, join(cache, "tools"), progress);
    await build({ exec, program, recipe, archive, privilege, folder, progress, signal: options.signal });
    return { ...base, cached: false };
  } finally {
    await lock.release();
  }
}

interface Build {
  readonly exec: Exec;
  readonly program: string;
  readonly recipe: BaseRecipe;
  readonly archive: MachineArchive;
  readonly privilege: Privilege;
  readonly folder: string;
  readonly progress: (phase: string) => void;
  readonly signal: AbortSignal | undefined;
}

async function build({ folder, privilege, ...how }: Build): Promise<void> {
  const building = `${folder}.building-${process.pid}`;
  const root = join(building, "root");
  try {
    mkdirSync(root, { recursive: true });
    await bootstrap({ ...how, privilege, root });
    settle(root, how.archive, how.recipe);
    renameSync(building, folder);
  } catch (error) {
    await removeTree(building, privilege);
    throw error;
  }
}

/** What every host shares: no sources yet, the mirror's keyring, and no trace of the bootstrap. */
function settle(root: string, archive: MachineArchive, { servicesStart }: BaseRecipe): void {
  const at = (path: string) => join(root, path);
  if (servicesStart) rmSync(at("usr/sbin/policy-rc.d"), { force: true });
  else {
    writeFileSync(at("usr/sbin/policy-rc.d"), "#!/bin/sh\nexit 101\n");
    chmodSync(at("usr/sbin/policy-rc.d"), 0o755);
  }
  for (const file of readdirSync(at("etc/apt/sources.list.d"))) rmSync(at(`etc/apt/sources.list.d/${file}`));
  for (const file of ["etc/apt/sources.list", "etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"]) {
    rmSync(at(file), { force: true });
  }
  for (const file of ["etc/hostname", "etc/hosts", "etc/resolv.conf"]) writeFileSync(at(file), "");
  const keyring = hostKeyring(archive);
  if (existsSync(at(keyring))) return;
  mkdirSync(at("etc/apt/keyrings"), { recursive: true });
  if (archive.signedBy.startsWith("/")) copyFileSync(archive.signedBy, at(keyring));
  else writeFileSync(at(keyring), archive.signedBy);
  chmodSync(at(keyring), 0o644);
}

/** Where a host has the keyring of the mirror: its own copy of Debian's, or the machine's under /etc/apt/keyrings. */
export function hostKeyring(archive: MachineArchive): string {
  if (!archive.signedBy.startsWith("/")) return "/etc/apt/keyrings/machine-archive.asc";
  return archive.signedBy.startsWith("/usr/share/keyrings/debian-archive-")
    ? archive.signedBy
    : `/etc/apt/keyrings/${basename(archive.signedBy)}`;
}

async function sweepBuilds(cache: string, name: string, privilege: Privilege): Promise<void> {
  // The lock is held: whatever is under construction for this base was left by a process that died.
  for (const left of readdirSync(cache).filter((entry) => entry.startsWith(`${name}.building-`))) {
    await removeTree(join(cache, left), privilege);
  }
}

async function requireSpace(cache: string, recipe: BaseRecipe): Promise<void> {
  const { bavail, bsize } = await statfs(cache);
  const missing = recipe.neededBytes - bavail * bsize;
  if (missing <= 0) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1_000_000)} MB`;
  throw new HostsFailure(
    "spaceMissing",
    `${cache}: building the base needs ${megabytes(recipe.neededBytes)}, ${megabytes(missing)} more than is free there.\n` +
      "  Free that much, or set XDG_CACHE_HOME to a folder that has it.",
  );
}
