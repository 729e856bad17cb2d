import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Exec } from "../../agent/host/exec.ts";

/** What sandbox hosts or tests need, and the Debian package that brings it. */
export interface Requirement {
  /** A program on the PATH, or any file by its absolute path. */
  readonly command: string;
  readonly package: string;
}

/** This machine lacks something that nobody but its owner can provide. */
export class EnvironmentError extends Error {
  override readonly name = "EnvironmentError";
}

/** What sandbox hosts and the sample repository are made with. */
export const LOCAL_REQUIREMENTS: readonly Requirement[] = [
  { command: "mmdebstrap", package: "mmdebstrap" },
  { command: "gpg", package: "gpg" },
  { command: "gpgv", package: "gpgv" },
  { command: "dpkg-deb", package: "dpkg" },
  { command: "setpriv", package: "util-linux" },
  { command: "unshare", package: "util-linux" },
  { command: "nsenter", package: "util-linux" },
];

/** What some tests look through beside that. */
export const TEST_REQUIREMENTS: readonly Requirement[] = [
  { command: "systemd-tmpfiles", package: "systemd" },
  { command: "systemd-nspawn", package: "systemd-container" },
  { command: "setcap", package: "libcap2-bin" },
  { command: "sqv", package: "sqv" },
  { command: "lintian", package: "lintian" },
  { command: "man", package: "man-db" },
  { command: "qemu-aarch64-static", package: "qemu-user-static" },
  { command: "aarch64-linux-gnu-strip", package: "binutils-aarch64-linux-gnu" },
  // Brings all that an arm64 program is linked to.
  { command: "/usr/aarch64-linux-gnu/lib/libstdc++.so.6", package: "libstdc++6-arm64-cross" },
];

/** Hosts without root live in user namespaces with a range of ids. */
export const UNPRIVILEGED_REQUIREMENTS: readonly Requirement[] = [{ command: "newuidmap", package: "uidmap" }];

/** Those whose program is not on the PATH. /usr/sbin counts: it is missing from an ordinary user's PATH on Debian. */
export function missing(requirements: readonly Requirement[], path: string): Requirement[] {
  const folders = [...path.split(delimiter), "/usr/sbin", "/sbin"];
  const isThere = (command: string) =>
    command.startsWith("/") ? existsSync(command) : folders.some((folder) => isExecutable(join(folder, command)));
  return requirements.filter(({ command }) => !isThere(command));
}

/**
 * Installs what is missing with apt-get when root.
 * @throws EnvironmentError naming what to install and the command for it
 */
export async function provide(
  requirements: readonly Requirement[],
  machine: { exec: Exec; path: string; isRoot: boolean; say(text: string): void },
): Promise<void> {
  const packages = [...new Set(missing(requirements, machine.path).map((requirement) => requirement.package))];
  if (packages.length === 0) return;
  const command = `apt-get install --no-install-recommends ${packages.join(" ")}`;
  if (!machine.isRoot) throw new EnvironmentError(`these Debian packages are needed: run  sudo ${command}`);
  machine.say(`installing ${packages.join(" ")}`);
  const env = { PATH: machine.path, HOME: "/root", DEBIAN_FRONTEND: "noninteractive" };
  const install = ["-y", "-qq", "--no-install-recommends", "install", ...packages];
  for (const args of [["-qq", "update"], install]) {
    const result = await machine.exec("apt-get", args, { deadlineMs: 300_000, env });
    if (result.exitCode !== 0) {
      const words = result.stderr.trim().split("\n").slice(-3).join("\n  ");
      throw new EnvironmentError(
        `apt-get ${args.join(" ")} failed:\n  ${words}\n  these packages are needed: ${packages.join(", ")}`,
      );
    }
  }
  const still = missing(requirements, machine.path);
  if (still.length > 0)
    throw new EnvironmentError(`still missing after ${command}: ${still.map((r) => r.command).join(", ")}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
