import { createHash } from "node:crypto";
import * as z from "zod";

/** The Release file of one repository as a host verified it. */
export const ReleaseSeen = z.object({
  /** Where the repository's Release file lies, without user and password: `http://deb.debian.org/debian/dists/bookworm/`. */
  repository: z.string(),
  suite: z.string(),
  /** The signed date. */
  date: z.iso.datetime(),
  /** Of the signed text: the same however the file is signed. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type ReleaseSeen = z.infer<typeof ReleaseSeen>;

const LONGEST_NAME = 48;

/** The same in what fits into a step's short data. */
export const ReleaseMark = z.object({
  /** Without its scheme; the end of it behind 16 digits of its SHA-256 where it is too long. */
  repository: z.string().max(LONGEST_NAME),
  /** Seconds since 1970. */
  date: z.int().nonnegative(),
  /** The first 16 digits of the SHA-256. */
  sha: z.string().regex(/^[0-9a-f]{16}$/),
});
export type ReleaseMark = z.infer<typeof ReleaseMark>;

/** As many as a result line has room for; the report has all. */
export const MOST_MARKS = 8;

/** The marks of a host's repositories, in an order that hosts with the same repositories share. */
export function marksOf(seen: readonly ReleaseSeen[]): ReleaseMark[] {
  return seen
    .map(({ repository, date, sha256 }) => ({
      repository: shortName(repository),
      date: Math.floor(Date.parse(date) / 1_000),
      sha: sha256.slice(0, 16),
    }))
    .sort((a, b) => (a.repository < b.repository ? -1 : 1))
    .slice(0, MOST_MARKS);
}

function shortName(repository: string): string {
  const name = repository.replace(/^[a-z0-9+]+:\/*/i, "");
  if (name.length <= LONGEST_NAME) return name;
  const digest = createHash("sha256").update(repository).digest("hex").slice(0, 16);
  return `${digest}:${name.slice(-(LONGEST_NAME - digest.length - 1))}`;
}
