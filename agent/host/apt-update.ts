import { Failure, type FailureCode } from "../../contract/failures.ts";
import type { ExecResult } from "./exec.ts";
import type { Machine } from "./machine.ts";

const UPDATE_DEADLINE_MS = 300_000;
/** No index of a Debian or Ubuntu archive comes near this; a mirror that never stops does. */
const INDEX_BYTES_CAP = 512 * 1024 * 1024;

/** What a refresh of the package lists brought besides the lists. */
export interface Refreshed {
  /** The latest time a repository's server gave in an answer; null when none did (file: sources). */
  readonly serverTime: Date | null;
}

/**
 * Fetches the package lists anew from every configured repository. All or nothing: one repository that fails, fails it.
 * @throws Failure `repositoryUnreachable`, `signatureInvalid`, `metadataStale`, `clockWrong`, `hashMismatch`, `packageLockHeld`;
 * each names repository and URL.
 */
export async function refreshPackageLists(machine: Machine): Promise<Refreshed> {
  const options = [
    "APT::Update::Error-Mode=any",
    "Acquire::Retries=2",
    "Acquire::http::Timeout=30",
    "Acquire::https::Timeout=30",
    "Acquire::AllowInsecureRepositories=false",
    "Acquire::AllowDowngradeToInsecureRepositories=false",
    "Acquire::AllowWeakRepositories=false",
    // Prints the servers' answers: their Date is the second opinion on what time it is.
    "Debug::Acquire::http=true",
    "Debug::Acquire::https=true",
  ];
  const result = await machine.exec(
    "prlimit",
    [`--fsize=${INDEX_BYTES_CAP}`, "apt-get", "-q", ...options.flatMap((o) => ["-o", o]), "update"],
    { deadlineMs: UPDATE_DEADLINE_MS },
  );
  const problem = updateProblem(result);
  if (problem !== null) throw new Failure(problem.code, problem.message);
  return { serverTime: serverTime(`${result.stdout}\n${result.stderr}`) };
}

interface Problem {
  readonly code: FailureCode;
  readonly message: string;
}

const SIGNATURE =
  /GPG error|is not signed|NO_PUBKEY|BADSIG|EXPKEYSIG|REVKEYSIG|signatures? (?:were|was) invalid|OpenPGP signature verification failed|Clearsigned file isn't valid|does not have the needed|NODATA/;

/** Pure: what went wrong in an `apt-get update`, worst first; null when nothing did. */
export function updateProblem(result: Pick<ExecResult, "exitCode" | "timedOut" | "stderr">): Problem | null {
  if (result.timedOut) {
    return {
      code: "repositoryUnreachable",
      message: `apt-get update did not end within ${UPDATE_DEADLINE_MS / 1000} s (transient)`,
    };
  }
  const lines = result.stderr.split("\n").filter((line) => /^[EW]: /.test(line));
  const find = (pattern: RegExp) => lines.find((line) => pattern.test(line))?.slice(3);
  const signature = find(SIGNATURE);
  if (signature !== undefined) return { code: "signatureInvalid", message: signature };
  const early = find(/is not valid yet/);
  if (early !== undefined) {
    return { code: "clockWrong", message: `this host's clock is behind, or the mirror's ahead: ${early}` };
  }
  const expired = find(/is expired|Release file .* expired/);
  if (expired !== undefined) return { code: "metadataStale", message: expired };
  const mismatch = find(/Hash Sum mismatch|unexpected size/);
  if (mismatch !== undefined) return { code: "hashMismatch", message: mismatch };
  const locked = find(/Could not get lock|Unable to lock/);
  if (locked !== undefined) return { code: "packageLockHeld", message: locked };
  const fetch = find(/Failed to fetch|does not have a Release file|no longer has a Release file|index files failed/);
  if (fetch !== undefined) {
    return { code: "repositoryUnreachable", message: `${fetch} (${isPermanent(fetch) ? "permanent" : "transient"})` };
  }
  if (result.exitCode === 0) return null;
  return {
    code: "repositoryUnreachable",
    message: `apt-get update: exit ${result.exitCode}: ${lines.join(" ") || result.stderr.trim().slice(-400)}`,
  };
}

/** What another try will not mend. */
export function isPermanent(line: string): boolean {
  return /\b(40[0134]|410)\b|does not have a Release file|no longer has a Release file|certificate/i.test(line);
}

/** Pure: the latest `Date` among the answers, plus the `Age` a cache gives; null when there is none. */
export function serverTime(output: string): Date | null {
  let latest = Number.NEGATIVE_INFINITY;
  for (const answer of output.split(/^Answer for: /m).slice(1)) {
    const head = answer.split(/\n\s*\n/)[0] ?? "";
    const date = Date.parse(/^date:\s*(.+?)\s*$/im.exec(head)?.[1] ?? "");
    const age = Number(/^age:\s*(\d+)/im.exec(head)?.[1] ?? 0);
    if (!Number.isNaN(date)) latest = Math.max(latest, date + age * 1000);
  }
  return Number.isFinite(latest) ? new Date(latest) : null;
}
