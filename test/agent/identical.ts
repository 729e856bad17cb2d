import type { Fingerprint } from "../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../local/hosts/fingerprint-comparison.ts";

/** Locks of other programs, which a rollback leaves where they are. */
const LOCK_FILES = new Set(["/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/triggers/Lock"]);

/** What is not as it was, seen from outside: every aspect of every path, packages, marks and holds; and paths that have another time alone. */
export function notAsBefore(before: Fingerprint, after: Fingerprint): (string | object)[] {
  const { differences, otherTimes } = compareFingerprints(before, after);
  return [...differences, ...otherTimes.filter((path) => !LOCK_FILES.has(path))];
}
