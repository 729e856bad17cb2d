import { readdirSync, readFileSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { Manifest } from "../backup/manifest.ts";
import { within } from "../backup/path-set.ts";
import { type DpkgPackage, dpkgPackages } from "../host/dpkg.ts";
import { onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { isCritical } from "../patch/plan.ts";

/** What a minimal recovery puts back: the files and the configuration of the critical packages, and nothing else. */
export interface CriticalPart {
  readonly packages: readonly string[];
  covers(path: string): boolean;
}

/**
 * The part of a backup that belongs to the critical packages of this host.
 * @throws Failure `backupInvalid` when one of them is at another version than in the backup: its files would not fit dpkg's record
 */
export async function criticalPart(
  machine: Machine,
  manifest: Manifest,
  critical: readonly string[],
): Promise<CriticalPart> {
  const installed = (await dpkgPackages(machine)).filter(
    (p) => p.status.startsWith("ii") && isCritical(p.name, critical),
  );
  const other = otherVersions(installed, manifest.state.packages);
  if (other.length > 0)
    throw new Failure(
      "backupInvalid",
      `${manifest.id}: ${other.join("; ")}: files of another version would not fit dpkg's record. --mode standard puts all packages back`,
    );
  const names = installed.map(({ name }) => name);
  const listed = new Set(names.flatMap((name) => listedPaths(machine, name)));
  const folders = [...new Set(names.map((name) => name.split(/[-0-9]/)[0] ?? name))].flatMap((word) => [
    `/etc/${word}`,
    `/etc/default/${word}`,
  ]);
  return {
    packages: names,
    covers: (path) => listed.has(path) || folders.some((folder) => within(path, folder)),
  };
}

/** Pure: packages whose version is not that of the backup, in words. */
export function otherVersions(installed: readonly DpkgPackage[], recorded: readonly string[]): string[] {
  const versions = new Map(
    recorded.map((line) => {
      const [name = "", , version = ""] = line.split(" ");
      return [name.split(":")[0] ?? name, version] as const;
    }),
  );
  return installed.flatMap(({ name, version }) => {
    const was = versions.get(name);
    return was === version ? [] : [`${name} is ${version}, in the backup ${was ?? "it is not there"}`];
  });
}

function listedPaths(machine: Pick<Machine, "root">, name: string): string[] {
  const folder = onMachine(machine, "/var/lib/dpkg/info");
  return readdirSync(folder)
    .filter((file) => file === `${name}.list` || (file.startsWith(`${name}:`) && file.endsWith(".list")))
    .flatMap((file) => readFileSync(`${folder}/${file}`, "utf8").split("\n"))
    .filter((path) => path.startsWith("/") && path !== "/.");
}
