import type { SentCommand } from "../../contract/run.ts";

/** From the decision that hosts commit until the last of them has heard of it, with a Lambda that is tried again in between. */
const COMMIT_SECONDS = 600;

/**
 * Whether hosts that have answered a command must not be kept waiting for the others: a look later their trial may be over, and they would
 * go back though nothing is wrong with them. Pure. A trial cannot have begun before its command was sent; when a host itself says it began
 * is a matter of that host's clock.
 */
export function trialRunsOut({ sentAt, trialSeconds }: SentCommand, waitSliceSeconds: number, now: Date): boolean {
  if (trialSeconds === undefined || sentAt === undefined) return false;
  const nextLook = now.getTime() / 1000 + waitSliceSeconds;
  return nextLook + COMMIT_SECONDS > new Date(sentAt).getTime() / 1000 + trialSeconds;
}
