import { join } from "node:path";
import { openSandbox, removeTree } from "../../agent/host/sandbox/sandbox.ts";
import type { Base } from "./base.ts";
import { HostsFailure } from "./failure.ts";
import { writeInside } from "./inside.ts";
import { OLD, SAMPLE_ROLES, type SampleRole } from "./sample/packages.ts";
import type { SampleRepository } from "./sample/repository.ts";
import { writeSources } from "./sources.ts";

const PREFERENCES = "/run/sample-preferences";

/**
 * Installs the old versions of a role's packages over the base, once, with apt, so that marks are as they would be.
 * @param workspace folder of its own; stays, since the layer lies in it
 * @returns path of the layer, to be laid over the base
 * @throws HostsFailure `commandFailed` with apt's words
 */
export async function prepareLayer(
  base: Base,
  repository: SampleRepository,
  role: SampleRole,
  workspace: string,
): Promise<string> {
  const { root, privilege } = base;
  const sandbox = await openSandbox({ layers: [root], workspace, hostname: "prepare", network: "shared", privilege });
  const apt = async (...args: string[]) => {
    const result = await sandbox.exec("apt-get", args, {
      deadlineMs: 120_000,
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", DEBIAN_FRONTEND: "noninteractive" },
    });
    if (result.exitCode === 0) return;
    const words = result.stderr.trim().split("\n").slice(-8).join("\n    ");
    throw new HostsFailure(
      "commandFailed",
      `role ${role}: apt-get ${args.at(0)} ended with ${result.exitCode}:\n    ${words}`,
    );
  };
  try {
    writeSources(sandbox.root, base, ["sample"], repository);
    // apt takes no version for `Package: *`.
    const names = [...new Set(repository.packages.map((one) => one.name))];
    writeInside(sandbox.root, PREFERENCES, `Package: ${names.join(" ")}\nPin: version ${OLD}\nPin-Priority: 1001\n`);
    await apt("update");
    const pinned = ["-o", `Dir::Etc::Preferences=${PREFERENCES}`, "-o", "Dpkg::Options::=--force-unsafe-io"];
    await apt("install", "--yes", "--no-install-recommends", ...pinned, ...SAMPLE_ROLES[role]);
  } finally {
    await sandbox.close({ keep: true });
  }
  // Hosts fetch lists themselves, and from the sources they are given.
  for (const trace of [
    "var/lib/apt/lists",
    "var/cache/apt",
    "etc/apt/sources.list.d",
    "etc/apt/apt.conf.d/90machine",
  ]) {
    await removeTree(join(sandbox.upper, trace), privilege);
  }
  return sandbox.upper;
}
