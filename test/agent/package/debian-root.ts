import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { exec } from "../../../agent/host/exec.ts";
import { detectPrivilege } from "../../../agent/host/sandbox/privilege.ts";
import { openSandbox, type Sandbox } from "../../../agent/host/sandbox/sandbox.ts";
import { chooseSpace, measureSpace } from "../../../agent/host/sandbox/space.ts";
import { defaultCacheFolder } from "../../../local/hosts/base.ts";
import { bootstrap } from "../../../local/hosts/bootstrap.ts";
import { findBootstrapper } from "../../../local/hosts/bootstrapper.ts";
import { takeBuildLock } from "../../../local/hosts/build-lock.ts";
import { readMachineArchive } from "../../../local/hosts/machine-archive.ts";

/** Releases of Debian the package is installed on. */
export const SUITES = ["bullseye", "bookworm", "trixie"] as const;
export type Suite = (typeof SUITES)[number];

const ROOM = 1_200_000_000;

/** A fresh host of that release without network; what it writes is gone when it is closed. */
export async function freshHost(suite: Suite): Promise<Sandbox> {
  const root = await debianRoot(suite);
  const space = chooseSpace(["/dev/shm", defaultCacheFolder()].map(measureSpace), ROOM);
  const workspace = mkdtempSync(join(space.path, "autopatch-package-"));
  return openSandbox({ layers: [root], workspace, hostname: `fresh-${suite}`, network: "none" });
}

/**
 * A minimal root of a Debian release with logrotate, bootstrapped once and kept in the cache. Never written to: sandboxes lie
 * over it.
 */
async function debianRoot(suite: Suite): Promise<string> {
  const folder = join(defaultCacheFolder(), `package-root-${suite}-1`);
  const root = join(folder, "root");
  if (existsSync(folder)) return root;
  mkdirSync(dirname(folder), { recursive: true });
  const lock = await takeBuildLock(`${folder}.lock`, 900_000, () => {});
  try {
    if (existsSync(folder)) return root;
    const building = `${folder}.building`;
    rmSync(building, { recursive: true, force: true });
    mkdirSync(join(building, "root"), { recursive: true });
    const progress = () => {};
    await bootstrap({
      exec,
      recipe: { variant: "minimal", suite, packages: ["logrotate"], neededBytes: 500_000_000, servicesStart: false },
      archive: await readMachineArchive(exec, process.env),
      privilege: await detectPrivilege(exec),
      program: await findBootstrapper(exec, join(defaultCacheFolder(), "tools"), progress),
      root: join(building, "root"),
      progress,
      signal: undefined,
    });
    renameSync(building, folder);
  } finally {
    await lock.release();
  }
  return root;
}
