/**
 * The one table of exit codes. Programs, steps and the local runner end with these and no others; 137, 168 and 169 mean something to the
 * SSM agent and are never used, and 194 only when that is meant.
 */
export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  configuration: 3,
  environment: 4,
  blocked: 5,
  preflight: 6,
  download: 7,
  security: 8,
  backup: 9,
  install: 10,
  unhealthy: 11,
  rollback: 12,
  request: 13,
  noAnswer: 14,
  runNotClean: 20,
  interrupted: 130,
} as const;

/** Tells the SSM agent to reboot the host and to run the same step again. */
export const REBOOT_EXIT = 194;

export type ExitName = keyof typeof EXIT;

/** What each exit code says, for --help and the man pages. */
export const EXIT_MEANINGS: Readonly<Record<ExitName, string>> = {
  ok: "done",
  internal: "a defect in AutoPatch",
  usage: "arguments that mean nothing",
  configuration: "autopatch.conf cannot be used",
  environment: "the machine lacks something",
  blocked: "blocked by a lock or an unfinished change",
  preflight: "the host is not fit to be patched",
  download: "planning or downloading failed",
  security: "something cannot be trusted",
  backup: "no good backup",
  install: "the installation failed and was rolled back",
  unhealthy: "the host is not well",
  rollback: "the host is not what it was",
  request: "a request that cannot be carried out",
  noAnswer: "a host did not answer",
  runNotClean: "a run that is not clean",
  interrupted: "interrupted",
};

interface FailureKind {
  /** The same step may be sent again and may well succeed. */
  readonly retryable: boolean;
  readonly exit: ExitName;
  /** What happened, as a person would say it; the message of a failure adds names and values. */
  readonly meaning: string;
  readonly wayOut: string;
}

const kind = (retryable: boolean, exit: ExitName, meaning: string, wayOut: string): FailureKind => ({
  retryable,
  exit,
  meaning,
  wayOut,
});

/** Every way in which a step can fail, with what may be done about it. The only place where these words are defined. */
export const FAILURES = {
  notRoot: kind(false, "environment", "the agent does not run as root", "run it with sudo, or through SSM"),
  configurationInvalid: kind(
    false,
    "configuration",
    "autopatch.conf cannot be used",
    "mend the named lines of /etc/autopatch/autopatch.conf",
  ),
  toolMissing: kind(false, "environment", "a program the agent needs is not installed", "install the named package"),
  programKilled: kind(
    true,
    "environment",
    "a program the agent asked was killed, or did not end in time",
    "see what ended it (memory, a person, a deadline), then try again",
  ),
  diskTooFull: kind(
    false,
    "preflight",
    "too little free disk space",
    "free the named number of bytes on the named path",
  ),
  inodesTooFew: kind(false, "preflight", "too few free inodes", "remove small files on the named path"),
  packageLockHeld: kind(true, "blocked", "another program holds apt's or dpkg's lock", "wait for the named process"),
  packagesHalfConfigured: kind(
    false,
    "preflight",
    "dpkg has packages that are not fully installed",
    "run dpkg --configure -a",
  ),
  clockWrong: kind(false, "preflight", "the host's clock is wrong", "set the clock; see timedatectl"),
  repositoryUnreachable: kind(
    true,
    "preflight",
    "a package repository does not answer",
    "check the named URL and the network",
  ),
  resolverFailed: kind(false, "download", "apt finds no consistent plan", "read the named dependency problem"),
  resolverTimedOut: kind(true, "download", "apt did not plan within its deadline", "try again, or raise the deadline"),
  downloadFailed: kind(true, "download", "a package could not be downloaded", "check the named URL and the network"),
  previousMissing: kind(
    false,
    "download",
    "the .deb of an installed version cannot be had, and the policy wants it for the way back",
    "put it into /var/cache/apt/archives, install dpkg-repack, or set previousDebs to bestEffort",
  ),
  lockMissing: kind(false, "security", "there is no lock for this run", "run the download step first"),
  lockInvalid: kind(false, "security", "the lock file cannot be trusted or read", "run the download step again"),
  signatureInvalid: kind(
    false,
    "security",
    "a Release file has no valid signature by a configured key",
    "check the source and its keyring",
  ),
  metadataStale: kind(
    false,
    "security",
    "a Release file is older than allowed",
    "check the mirror; somebody may replay old metadata",
  ),
  splitView: kind(
    false,
    "security",
    "this host is shown something else than it was before, or than others are",
    "compare with another host and the repository's own site; somebody may stand in between",
  ),
  fleetLockRefused: kind(
    false,
    "security",
    "the fleet lock is not one this host may install",
    "read the reason; have the run that proved the lock sign it again",
  ),
  hashMismatch: kind(
    false,
    "security",
    "bytes differ from what was locked",
    "run the download step again; if it repeats, distrust the mirror",
  ),
  outsideLock: kind(false, "security", "apt would change something that is not in the lock", "plan again"),
  pathUnsafe: kind(
    false,
    "security",
    "a path the agent uses belongs to someone else, is writable by others, or is a link",
    "remove the named path",
  ),
  backupFailed: kind(true, "backup", "the backup could not be written", "free space or mend the named path"),
  backupInvalid: kind(
    false,
    "backup",
    "the backup does not match its manifest",
    "choose another: rollback.sh --list-backups",
  ),
  backupMissing: kind(false, "backup", "there is no such backup", "choose another: rollback.sh --list-backups"),
  backupForeign: kind(
    false,
    "backup",
    "the backup is another machine's",
    "a complete one rebuilds it here: install.sh --backup --force there, then --restore-system BACKUP --force here",
  ),
  storageFailed: kind(
    true,
    "backup",
    "a backup could not be put into or got from S3",
    "check the named bucket, the permissions of the host's role and the network",
  ),
  rehearsalFailed: kind(
    false,
    "preflight",
    "the change did not stand its rehearsal in a clone of the host; nothing of the host was changed",
    "read the named test's last lines, or the differences of the way back",
  ),
  maintainerScriptFailed: kind(
    false,
    "install",
    "a package's maintainer script failed",
    "read the named package's last lines",
  ),
  installFailed: kind(false, "install", "apt or dpkg failed", "read its last lines"),
  installTimedOut: kind(
    false,
    "install",
    "the installation did not end within its deadline",
    "read the last lines; raise the deadline",
  ),
  unhealthy: kind(false, "unhealthy", "the host did not pass its checks", "read the named check's last lines"),
  maintenanceFailed: kind(
    true,
    "unhealthy",
    "a maintenance task failed, or the window was overrun",
    "read the report in /var/log/autopatch",
  ),
  daemonFailed: kind(
    true,
    "environment",
    "systemd did not do what it was asked",
    "see systemctl status and journalctl -xe",
  ),
  rebootFailed: kind(
    false,
    "unhealthy",
    "the host did not reboot, or did not come back from it",
    "look at its console; its root volume can be replaced from a snapshot",
  ),
  rollbackIncomplete: kind(true, "rollback", "the host is not identical to what it was", "read the listed differences"),
  transactionOpen: kind(false, "blocked", "an earlier change is not finished", "commit it or roll it back first"),
  lockedDown: kind(
    false,
    "blocked",
    "the host is locked down",
    "autopatch-manager.sh emergency-lockdown --release ends it, once the incident is understood",
  ),
  lockdownIncomplete: kind(
    true,
    "security",
    "the lockdown is not whole",
    "mend what is named, then call the same again: what is done already stays",
  ),
  noTransaction: kind(
    false,
    "request",
    "there is no change in progress that this step could act on",
    "start with the download step",
  ),
  requestInvalid: kind(
    false,
    "request",
    "the request cannot be read",
    "send it again with a matching contract version",
  ),
  requestExpired: kind(false, "request", "the request is older than its expiry", "dispatch it again"),
  requestNotForThisHost: kind(false, "request", "the request names other hosts", "dispatch it to the hosts it names"),
  resultUnreadable: kind(
    true,
    "noAnswer",
    "the host's result line is missing, cut or malformed",
    "read the command's output",
  ),
  noAnswer: kind(
    true,
    "noAnswer",
    "the host did not answer by the deadline",
    "check that the host is up and its SSM agent runs",
  ),
  snapshotFailed: kind(
    true,
    "environment",
    "no snapshot of the host's root volume could be begun, and without one it is not changed",
    "read the error in the execution of PatchBatch: the permissions of its role, the account's limit of snapshots, an instance without EBS",
  ),
  undeliverable: kind(
    true,
    "noAnswer",
    "the command could not be delivered to the host",
    "check that the host is up and its SSM agent runs",
  ),
  hostGone: kind(
    false,
    "noAnswer",
    "Systems Manager does not know the host any more",
    "where it was terminated, nothing is to be done; else look at its state in EC2, its role and its SSM agent",
  ),
  notEnrolled: kind(
    false,
    "noAnswer",
    "the host does not carry the fleet's tag any more",
    "give it the tag again, if it is to be patched",
  ),
  notPickedUp: kind(
    true,
    "noAnswer",
    "the host's SSM agent did not take up the command in time",
    "restart amazon-ssm-agent on the host, and see what keeps it busy",
  ),
  sendRefused: kind(
    true,
    "noAnswer",
    "Systems Manager took the command for no host",
    "read the error that dispatch ended with: throttling passes, a denial wants its permissions mended",
  ),
  notStarted: kind(
    true,
    "noAnswer",
    "the command was cancelled before this host began",
    "see the hosts that failed first",
  ),
  stepTimedOut: kind(
    false,
    "noAnswer",
    "the step did not end within its time, and was killed",
    "see in /var/log/autopatch what it was at; raise what it waits for, or mend that",
  ),
  stepKilled: kind(
    true,
    "noAnswer",
    "the step was killed before its time was over",
    "see what killed it: too little memory (journalctl -k), a person, a restart of the SSM agent",
  ),
  resultForeign: kind(
    false,
    "noAnswer",
    "the host answered something else than what it was asked",
    "compare the id in the answer with the instance's: a copy of another host answers in its name",
  ),
  metricsNotPublished: kind(
    true,
    "environment",
    "the host's metrics could not be published",
    "check the network, AUTOPATCH_CLOUDWATCH and the instance's role: it needs cloudwatch:PutMetricData",
  ),
  cloneImpossible: kind(
    false,
    "environment",
    "no clone of the host can be made",
    "read the reason; overlays and memory are needed",
  ),
  internal: kind(false, "internal", "a defect in AutoPatch", "report it with the step's log"),
} as const satisfies Record<string, FailureKind>;

export type FailureCode = keyof typeof FAILURES;
export const FAILURE_CODES = Object.keys(FAILURES) as [FailureCode, ...FailureCode[]];

/** Failures that mean somebody may be tampering: logged with the marker, recorded, never retried. */
export const SECURITY_CODES: ReadonlySet<FailureCode> = new Set(
  FAILURE_CODES.filter(
    (code) => FAILURES[code].exit === "security" && code !== "lockMissing" && code !== "lockdownIncomplete",
  ),
);

/** What the seed's exporter, metrics and alerts count in the logs. */
export const VIOLATION_MARKER = "SÉCURITÉ COMPROMISE";

/** A failure with its code; the message names the thing, the value and, where it is not obvious, the way out. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The failure that an unknown error is: a Failure stays itself, anything else is a defect of ours. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Failure("internal", message, { cause: error });
}
