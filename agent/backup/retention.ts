/** What is known of one folder of backups when it is decided what may go. */
export interface BackupFact {
  /** Name of its folder; ends in `.tmp` while it is being made. */
  readonly id: string;
  readonly createdAt: Date;
  readonly bytes: number;
  /** Why it could not be put back; null when every byte is as it was written. */
  readonly problem: string | null;
}

export interface RetentionFacts {
  readonly backups: readonly BackupFact[];
  /** Where `latest` points. */
  readonly latest: string | null;
  /** What a change or a restore at work needs: `all`, or some ids, each with the reason in words. */
  readonly inUse: { readonly all: string | null; readonly some: ReadonlyMap<string, string> };
  /** Ids of unfinished backups whose process still lives. */
  readonly beingMade: ReadonlySet<string>;
  readonly now: Date;
  readonly days: number;
}

/** What becomes of one backup. */
export interface Retained {
  readonly id: string;
  readonly bytes: number;
  readonly kept: boolean;
  readonly reason: string;
}

const DAY_MS = 86_400_000;

/** Decides which backups may go, and says of each why it stays or goes; oldest first. Pure. */
export function planRetention(facts: RetentionFacts): Retained[] {
  const { inUse, latest } = facts;
  const inOrder = [...facts.backups].sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
  const whole = inOrder.filter((backup) => !isUnfinished(backup) && backup.problem === null);
  const newestWhole = whole.at(-1)?.id;
  return inOrder.map((backup) => {
    const { id, bytes } = backup;
    const keep = (reason: string) => ({ id, bytes, kept: true, reason });
    const remove = (reason: string) => ({ id, bytes, kept: false, reason });
    if (isUnfinished(backup)) {
      if (facts.beingMade.has(id)) return keep("is being made");
      return remove("was never finished: what made it is gone");
    }
    const used = inUse.all ?? inUse.some.get(id);
    if (used !== undefined) return keep(used);
    if (id === newestWhole) return keep("is the newest that is whole");
    if (id === latest) return keep("is where latest points");
    const age = Math.floor((facts.now.getTime() - backup.createdAt.getTime()) / DAY_MS);
    if (age < facts.days) return keep(`is ${inDays(age)} old, less than ${inDays(facts.days)}`);
    const old = `is ${inDays(age)} old, the limit is ${inDays(facts.days)}`;
    return remove(backup.problem === null ? old : `${old}; and damaged: ${backup.problem}`);
  });
}

function isUnfinished({ id }: BackupFact): boolean {
  return id.endsWith(".tmp");
}

function inDays(days: number): string {
  return days === 1 ? "1 day" : `${days} days`;
}

/** The list as `rollback.sh --cleanup-backups` prints it. Pure. */
export function formatRetention(retained: readonly Retained[], dryRun: boolean): string {
  if (retained.length === 0) return "No backups.\n";
  const gone = retained.filter((one) => !one.kept);
  const verb = dryRun ? "would be removed" : "removed";
  const lines = retained.map((one) => `${one.kept ? "kept" : verb}: ${one.id} ${one.reason}`);
  const left = retained.length - gone.length;
  lines.push(`${gone.length} ${verb}, ${left} kept. A pack that a kept backup shares stays until that goes too.`);
  return `${lines.join("\n")}\n`;
}
