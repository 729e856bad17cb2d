import type { AlteredFile } from "../../../contract/audit.ts";
import { checkFiles } from "../../host/check-files.ts";
import type { DpkgSums } from "../../host/dpkg-database.ts";
import type { Machine } from "../../host/machine.ts";
import type { Scope } from "../../host/tree.ts";

/** Where packages put programs and configuration, and nobody else's data lies. */
export const SYSTEM_SCOPE: Scope = {
  tops: ["/etc", "/usr", "/boot", "/opt", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"],
  leftOut: {},
  bounded: { parents: ["/opt", "/usr/local"], limit: 20_000 },
};

/** What differs from what the packages brought. */
export interface Alterations {
  /** Configuration files left out. */
  readonly files: readonly AlteredFile[];
  readonly conffiles: readonly AlteredFile[];
  /** How many are missing because dpkg was told never to unpack them. */
  readonly excluded: number;
}

/** Reads every packaged file and holds it against its checksum. */
export async function findAlterations(machine: Machine, sums: DpkgSums): Promise<Alterations> {
  const altered = await checkFiles(machine, [...sums.files, ...sums.conffiles]);
  const configuration = new Set(sums.conffiles.map((one) => one.path));
  const files = altered.filter((one) => !configuration.has(one.path));
  const wanted = files.filter((one) => one.what !== "missing" || !sums.excluded(one.path));
  const conffiles = altered.filter((one) => configuration.has(one.path));
  return { files: wanted, conffiles, excluded: files.length - wanted.length };
}
