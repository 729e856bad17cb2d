import { hostname } from "node:os";
import type { VerifyReport } from "../../../contract/audit.ts";
import { readDpkgSums } from "../../host/dpkg-database.ts";
import { osRelease } from "../../host/identity.ts";
import type { Machine } from "../../host/machine.ts";
import { scanTree } from "../../host/tree.ts";
import { AGENT_VERSION } from "../../version.ts";
import { findAlterations, SYSTEM_SCOPE } from "./alterations.ts";
import { sinceInstall } from "./since-install.ts";

/** Holds every packaged file against dpkg's checksum, and the system's folders against the record of the last install. */
export async function verifySystem(machine: Machine): Promise<VerifyReport> {
  const startedAt = machine.clock.now();
  const sums = readDpkgSums(machine);
  const { files, conffiles, excluded } = await findAlterations(machine, sums);
  const since = await sinceInstall(machine, () => scanTree(machine, SYSTEM_SCOPE));
  return {
    format: 1,
    host: hostname(),
    release: osRelease(machine).name,
    agentVersion: AGENT_VERSION,
    startedAt: startedAt.toISOString(),
    durationMs: machine.clock.now().getTime() - startedAt.getTime(),
    intact: files.length === 0,
    packages: sums.packages.length,
    files: sums.files.length + sums.conffiles.length,
    altered: [...files],
    conffiles: [...conffiles],
    excluded,
    withoutSums: [...sums.withoutSums],
    sinceInstall: since,
  };
}
