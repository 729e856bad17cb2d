import type { BatchPhase, CommandName, Phase, StepName } from "./steps.ts";

/** Where the agent keeps things on a host. The seed's paths, and one of our own for state that must not be in a shared folder. */
export const HOST_PATHS = {
  executable: "/usr/lib/autopatch/autopatch",
  config: "/etc/autopatch/autopatch.conf",
  /** Executable files; each exits 0 when the host is healthy. */
  healthChecks: "/etc/autopatch/health.d",
  /** Executable files; each is run in the clone after the rehearsed change and exits 0 when the result is good. */
  rehearsalTests: "/etc/autopatch/rehearsal.d",
  work: "/var/tmp/autopatch",
  archives: "/var/tmp/autopatch/archives",
  lock: "/var/tmp/autopatch/locked_versions.txt",
  /** The signed document a lock was made from, where it was; its signature lies beside it in `.sig`. */
  fleetLock: "/var/tmp/autopatch/fleet_lock.txt",
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
  "autopatch-maintenance.sh": "maintenance",
  "autopatch-prometheus-exporter.sh": "exporter",
} as const;

/** Packages whose update wants a person's eye: the seed's own list. A name matches itself and `name-…`. */
export const CRITICAL_PACKAGES = ["apache2", "nginx", "mysql", "postgresql"] as const;

/** Hosts that one fleet lock is for: those of one release and architecture. */
export function hostKind({
  release,
  architecture,
}: {
  readonly release: string;
  readonly architecture: string;
}): string {
  return `${release}-${architecture}`;
}

export const TAGS = { enabled: "AutoPatchEnabled", version: "AutoPatchVersion" } as const;

/** The SSM document of each command. */
export function documentName(command: CommandName): string {
  return `AutoPatch-${command.charAt(0).toUpperCase()}${command.slice(1)}`;
}

/** The parameter of every document: one HostRequest in base64url. */
export const REQUEST_PARAMETER = "request";
/** Anchored on both sides: the SSM agent's own match is not. */
export const REQUEST_PATTERN = "^[A-Za-z0-9_-]{1,12000}$";

/** Metrics under the seed's names. The cloud publishes by fleet, a host by what its configuration says. */
export const METRICS = {
  operations: "AutoPatch/Operations",
  security: "AutoPatch/Operations/Security",
  fleetDimension: "Fleet",
  instanceDimension: "InstanceId",
  totalPackages: "TotalPackages",
  backupCount: "BackupCount",
  diskUsagePercent: "DiskUsagePercent",
  securityViolations: "SecurityViolations",
  // What the seed's alerts ask beside these, by the names of its exporter.
  daemonStatus: "DaemonStatus",
  lastUpdateAge: "LastUpdateAgeSeconds",
  diskUsageBytes: "DiskUsageBytes",
  // A run's own, which the cloud alone publishes.
  runSeconds: "RunSeconds",
  runHosts: "RunHosts",
  hostsByOutcome: "HostsByOutcome",
  outcomeDimension: "Outcome",
  phaseSeconds: "PhaseSeconds",
  phaseDimension: "Phase",
  stepSecondsP50: "StepSecondsP50",
  stepSecondsP95: "StepSecondsP95",
  stepSecondsMax: "StepSecondsMax",
  stepDimension: "Step",
} as const;

/** Compliance type under which Systems Manager keeps where each host stands. */
export const COMPLIANCE_TYPE = "Custom:AutoPatch";

/** Keys in the run bucket. Everything of a run lies under its own prefix; a host may write only under its own. */
export const KEYS = {
  run: (runId: string) => `runs/${runId}/`,
  snapshot: (runId: string) => `runs/${runId}/snapshot.json`,
  /** One RunTerms: the snapshot without its hosts. */
  terms: (runId: string) => `runs/${runId}/terms.json`,
  /** A JSON array of BatchItem, read by the Distributed Map: every host of the wave to prepare, those that passed to apply, those that committed to check or roll back. */
  waveItems: (runId: string, wave: number, phase: BatchPhase) => `runs/${runId}/waves/${wave}/${phase}.json`,
  verdict: (runId: string, wave: number, phase: Phase) => `runs/${runId}/waves/${wave}/verdict-${phase}.json`,
  waveResults: (runId: string, wave: number) => `runs/${runId}/waves/${wave}/results/`,
  /** One CommandResults. */
  commandResults: (runId: string, wave: number, batch: number, command: CommandName, attempt: number) =>
    `runs/${runId}/waves/${wave}/results/${batch}/${command}-${attempt}.json`,
  /** One SentCommand. */
  sentCommand: (runId: string, wave: number, batch: number, command: CommandName, attempt: number) =>
    `runs/${runId}/waves/${wave}/sent/${batch}/${command}-${attempt}.json`,
  waveSent: (runId: string, wave: number) => `runs/${runId}/waves/${wave}/sent/`,
  /** Who may work on the fleet: one Lease. */
  lease: (fleet: string) => `leases/${fleet}.json`,
  /** Why a phase did not begin: one WaveVerdict. */
  gateVerdict: (runId: string, wave: number, phase: Phase) => `runs/${runId}/waves/${wave}/gate-${phase}.json`,
  /** One ApprovalRequest for each plan that people were asked about, who waits for it, that they were told, and how it ended. */
  approvals: (runId: string) => `runs/${runId}/approvals/`,
  approvalRequest: (runId: string, digest: string) => `runs/${runId}/approvals/${digest}/request.json`,
  approvalToken: (runId: string, digest: string) => `runs/${runId}/approvals/${digest}/token.json`,
  approvalTold: (runId: string, digest: string) => `runs/${runId}/approvals/${digest}/told.json`,
  approvalEnd: (runId: string, digest: string) => `runs/${runId}/approvals/${digest}/end.json`,
  report: (runId: string) => `runs/${runId}/report.json`,
  reportPage: (runId: string) => `runs/${runId}/report.html`,
  /** What Systems Manager was last told of each host of a fleet: one ComplianceLedger. */
  compliance: (fleet: string) => `compliance/${fleet}.json`,
  /** Who waits for a command: one ParkedToken. */
  token: (commandId: string) => `commands/${commandId}.json`,
  /** `userId` is `aws:userid` of the instance role's session: role id and instance id. */
  hostReport: (userId: string, runId: string, step: StepName, attempt: number) =>
    `hosts/${userId}/runs/${runId}/${step}-${attempt}.json`,
  /** Everything that a host keeps of its backups; outlives the reports. */
  hostBackups: (userId: string) => `backups/${userId}/`,
  /** A file of one or more backups, once for all of the same content. */
  backupObject: (userId: string, sha256: string) => `backups/${userId}/objects/${sha256}`,
  /** What files a backup is made of; written last, so that a backup which is listed is whole. */
  backupIndex: (userId: string, backupId: string) => `backups/${userId}/index/${backupId}.json`,
  backupIndexes: (userId: string) => `backups/${userId}/index/`,
  /** A .deb that a fleet lock has proven; written once, by the pool's own Lambda. */
  pool: (sha256: string) => `pool/${sha256}.deb`,
  /** A .deb that a canary fetched, for the pool to take over once it is proven. */
  offeredDeb: (userId: string, sha256: string) => `offered/${userId}/${sha256}.deb`,
  /** The fleet locks of a run; `KIND.txt` below it, and the signature beside that with `.sig`. */
  fleetLocks: (fleet: string, runId: string) => `fleet-locks/${fleet}/${runId}/`,
  fleetLock: (fleet: string, runId: string, kind: string) => `fleet-locks/${fleet}/${runId}/${kind}.txt`,
  /** Which run of a fleet had the last sequence number. */
  newestFleetLock: (fleet: string) => `fleet-locks/${fleet}/newest.json`,
  /** What number and times the fleet locks of a run have. */
  fleetLockTerms: (fleet: string, runId: string) => `fleet-locks/${fleet}/${runId}/terms.json`,
  /** One Promotion: what the canaries of a run proved. */
  promotion: (runId: string) => `runs/${runId}/promotion.json`,
} as const;
