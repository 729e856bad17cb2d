import type { Phase, StepName } from "./steps.ts";

/** Where the agent keeps things on a host. The seed's paths, and one of our own for state that must not be in a shared folder. */
export const HOST_PATHS = {
  executable: "/usr/lib/autopatch/autopatch",
  config: "/etc/autopatch/autopatch.conf",
  /** Executable files; each exits 0 when the host is healthy. */
  healthChecks: "/etc/autopatch/health.d",
  work: "/var/tmp/autopatch",
  archives: "/var/tmp/autopatch/archives",
  lock: "/var/tmp/autopatch/locked_versions.txt",
  packagesToInstall: "/var/tmp/autopatch/packages_to_install.log",
  backups: "/var/tmp/autopatch_backups",
  logs: "/var/log/autopatch",
  state: "/var/lib/autopatch",
} as const;

/** Links in /usr/local/bin by which the seed's scripts call the agent, and the program each one is. */
export const PROGRAM_LINKS = {
  "autopatch-manager.sh": "manager",
  "download.sh": "download",
  "install.sh": "install",
  "rollback.sh": "rollback",
} as const;

/** Packages whose update wants a person's eye: the seed's own list. A name matches itself and `name-…`. */
export const CRITICAL_PACKAGES = ["apache2", "nginx", "mysql", "postgresql"] as const;

export const TAGS = { enabled: "AutoPatchEnabled", version: "AutoPatchVersion" } as const;

/** The SSM document of each step. */
export function documentName(step: StepName): string {
  return `AutoPatch-${step.charAt(0).toUpperCase()}${step.slice(1)}`;
}

/** The parameter of every step document: one StepRequest in base64url. */
export const REQUEST_PARAMETER = "request";
/** Anchored on both sides: the SSM agent's own match is not. */
export const REQUEST_PATTERN = "^[A-Za-z0-9_-]{1,12000}$";

/** Metrics under the seed's names; the dimension is the fleet. */
export const METRICS = {
  operations: "AutoPatch/Operations",
  security: "AutoPatch/Operations/Security",
  fleetDimension: "Fleet",
  totalPackages: "TotalPackages",
  backupCount: "BackupCount",
  diskUsagePercent: "DiskUsagePercent",
  securityViolations: "SecurityViolations",
} as const;

/** Keys in the run bucket. Everything of a run lies under its own prefix; a host may write only under its own. */
export const KEYS = {
  run: (runId: string) => `runs/${runId}/`,
  snapshot: (runId: string) => `runs/${runId}/snapshot.json`,
  /** A JSON array of BatchItem, read by the Distributed Map: every host of the wave to prepare, and those that passed to apply. */
  waveItems: (runId: string, wave: number, phase: Phase) => `runs/${runId}/waves/${wave}/${phase}.json`,
  verdict: (runId: string, wave: number, phase: Phase) => `runs/${runId}/waves/${wave}/verdict-${phase}.json`,
  waveResults: (runId: string, wave: number) => `runs/${runId}/waves/${wave}/results/`,
  /** One StepCollection. */
  stepResults: (runId: string, wave: number, batch: number, step: StepName, attempt: number) =>
    `runs/${runId}/waves/${wave}/results/${batch}/${step}-${attempt}.json`,
  report: (runId: string) => `runs/${runId}/report.json`,
  reportPage: (runId: string) => `runs/${runId}/report.html`,
  /** The task token that waits for a command. */
  token: (commandId: string) => `commands/${commandId}.json`,
  /** `userId` is `aws:userid` of the instance role's session: role id and instance id. */
  hostReport: (userId: string, runId: string, step: StepName, attempt: number) =>
    `hosts/${userId}/runs/${runId}/${step}-${attempt}.json`,
} as const;
