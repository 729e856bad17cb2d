/** How far a host's clock may be off before dates stop meaning anything; AWS refuses requests that are 15 minutes off. */
export const CLOCK_TOLERANCE_SECONDS = 900;

/** What is known of the time besides the host's own clock. */
export interface TimeWitnesses {
  /** The newest signed date of a Release file: it was written before now. */
  readonly newestRelease: Date | null;
  /** The time a repository's server gave a moment ago; not signed. */
  readonly serverTime: Date | null;
}

/** What is wrong with the host's clock, in words that say which way; null when nothing is. Pure. */
export function clockProblem(now: Date, witnesses: TimeWitnesses): string | null {
  const behind = (other: Date) => (other.getTime() - now.getTime()) / 1000;
  const { newestRelease, serverTime } = witnesses;
  if (newestRelease !== null && behind(newestRelease) > CLOCK_TOLERANCE_SECONDS) {
    return `the clock is behind: it says ${now.toISOString()}, and a Release file was signed on ${newestRelease.toISOString()}`;
  }
  if (serverTime === null || Math.abs(behind(serverTime)) <= CLOCK_TOLERANCE_SECONDS) return null;
  const way = behind(serverTime) > 0 ? "behind" : "ahead";
  return `the clock is ${way}: it says ${now.toISOString()}, the repositories' servers say ${serverTime.toISOString()}`;
}
