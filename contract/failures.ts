/**
 * The one table of exit codes. Programs, steps and the local runner end with these and no others; 137, 168, 169 and 194
 * mean something to the SSM agent and are never used.
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

export type ExitName = keyof typeof EXIT;

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
  rollbackIncomplete: kind(true, "rollback", "the host is not identical to what it was", "read the listed differences"),
  transactionOpen: kind(false, "blocked", "an earlier change is not finished", "commit it or roll it back first"),
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
  undeliverable: kind(
    true,
    "noAnswer",
    "the command could not be delivered to the host",
    "check that the host is up and its SSM agent runs",
  ),
  notStarted: kind(
    true,
    "noAnswer",
    "the command was cancelled before this host began",
    "see the hosts that failed first",
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
  FAILURE_CODES.filter((code) => FAILURES[code].exit === "security" && code !== "lockMissing"),
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
