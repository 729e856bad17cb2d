/** What apt and dpkg say, as values: what a plan is decided from. The adapters read it; nothing here knows how. */

/** A line `Inst` of a simulation: apt would unpack this. */
export interface SimulatedInstall {
  readonly name: string;
  readonly architecture: string;
  /** Null for a package that is new on the host. */
  readonly from: string | null;
  readonly version: string;
  /** Pockets it comes from, as apt names them: `Debian-Security:12/stable-security`. */
  readonly origins: readonly string[];
}

/** A line `Remv` of a simulation. */
export interface SimulatedRemoval {
  readonly name: string;
  /** Null when apt leaves it out: the host's own. */
  readonly architecture: string | null;
  readonly version: string;
}

export interface Simulation {
  readonly installs: readonly SimulatedInstall[];
  readonly removals: readonly SimulatedRemoval[];
}

/** A line of --print-uris. */
export interface DownloadUri {
  readonly uri: string;
  /** apt's name for the file: `webapp_1%3a2.0-1_all.deb`. */
  readonly file: string;
  readonly size: number;
  /** Null when the index gave no SHA-256. */
  readonly sha256: string | null;
}

/** One version of a package as `apt-cache policy` lists it. */
export interface AvailableVersion {
  readonly version: string;
  readonly priority: number;
  /** Where it is to be had: `http://mirror.example/debian-security bookworm-security/main`. */
  readonly sources: readonly string[];
}

/** What apt would choose for an installed package, and among what. */
export interface PackagePolicy {
  readonly name: string;
  readonly architecture: string | null;
  readonly installed: string;
  /** Null when nothing may be installed. */
  readonly candidate: string | null;
  readonly versions: readonly AvailableVersion[];
}

/** What an index says of one version. */
export interface VersionDetails {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
  readonly installedSizeKiB: number;
  /** 0 to 100; null when it is not phased. */
  readonly phasedPercent: number | null;
  /** Null when the index gives none, as for what is only installed. */
  readonly sha256: string | null;
}

export interface InstalledPackage {
  readonly name: string;
  readonly architecture: string;
  readonly version: string;
  readonly installedSizeKiB: number;
}

export interface AptFacts {
  readonly nativeArchitecture: string;
  /** What apt would do for the operation. */
  readonly simulation: Simulation;
  /** What it would do if it might remove packages too; `simulation` itself for full-update and when that leaves nothing out. */
  readonly fullSimulation: Simulation;
  readonly uris: readonly DownloadUri[];
  readonly installed: readonly InstalledPackage[];
  readonly policies: readonly PackagePolicy[];
  /** Names, with `:arch` for a foreign one. */
  readonly held: readonly string[];
  readonly details: readonly VersionDetails[];
}
