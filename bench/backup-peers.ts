import type { BenchHost } from "./bench-host.ts";
import type { Stage } from "./stage.ts";

/** How a peer keeps a list of paths and brings it back. */
export interface BackupPeer {
  readonly name: string;
  /** Where what it keeps lies. */
  readonly store: string;
  prepare(host: BenchHost): Promise<void>;
  /** @param number counts its backups from 1 @returns milliseconds */
  backUp(host: BenchHost, number: number): Promise<number>;
  /** Brings the first backup back into an empty folder. @returns milliseconds */
  restore(host: BenchHost, into: string): Promise<number>;
  /** Whether its second backup takes from its first. */
  readonly incremental: boolean;
}

const FOLDER = "/var/tmp/peers";
/** Paths of the backup that are no folders, one a line; and the same with a NUL after each. */
export const PATH_LIST = `${FOLDER}/paths`;
export const NUL_LIST = `${FOLDER}/paths0`;

/** The peers that are on the stage's hosts. */
export function backupPeers(stage: Stage): BackupPeer[] {
  return [tarZstd, ...(stage.has("restic") ? [restic] : []), ...(stage.has("borg") ? [borg] : [])];
}

const tarZstd: BackupPeer = {
  name: "tar | zstd -1",
  store: `${FOLDER}/tar`,
  incremental: false,
  prepare: async (host) => void (await host.run("mkdir", ["-p", tarZstd.store])),
  backUp: (host, number) =>
    host.time("tar", [
      "-C",
      "/",
      "-I",
      "zstd -1",
      "--null",
      "-T",
      NUL_LIST,
      "-cPf",
      `${tarZstd.store}/${number}.tar.zst`,
    ]),
  restore: (host, into) => host.time("tar", ["-C", into, "-I", "zstd", "-xf", `${tarZstd.store}/1.tar.zst`]),
};

const restic: BackupPeer = {
  name: "restic",
  store: `${FOLDER}/restic`,
  incremental: true,
  prepare: async (host) => void (await host.run("restic", ["-r", restic.store, "init"])),
  backUp: (host) => host.time("restic", ["-r", restic.store, "--quiet", "backup", "--files-from-verbatim", PATH_LIST]),
  restore: async (host, into) => {
    const { stdout } = await host.run("restic", ["-r", restic.store, "snapshots", "--json"]);
    const [first] = JSON.parse(stdout) as { id: string }[];
    if (first === undefined) throw new Error("restic has no snapshot");
    return host.time("restic", ["-r", restic.store, "--quiet", "restore", first.id, "--target", into]);
  },
};

const borg: BackupPeer = {
  name: "borg",
  store: `${FOLDER}/borg`,
  incremental: true,
  prepare: async (host) => void (await host.run("borg", ["init", "-e", "none", borg.store])),
  backUp: async (host, number) => {
    const { stdout: input } = await host.run("cat", [PATH_LIST]);
    return host.time("borg", ["create", "--paths-from-stdin", `${borg.store}::${number}`], { input });
  },
  restore: (host, into) => host.time("borg", ["extract", `${borg.store}::1`], { cwd: into }),
};
