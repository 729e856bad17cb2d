import { parseStanzas } from "../host/apt-output.ts";

/** What a Release file promises. */
export interface ReleaseFile {
  /** When it was made; null when it does not say. */
  readonly date: Date | null;
  readonly validUntil: Date | null;
  /** SHA-256 and size in bytes of each index, by its path. */
  readonly indexes: ReadonlyMap<string, { sha256: string; size: number }>;
}

/** Reads the signed text of a Release file. Pure. */
export function parseRelease(text: string): ReleaseFile {
  const [fields = new Map<string, string>()] = parseStanzas(text.trim());
  const indexes = new Map<string, { sha256: string; size: number }>();
  for (const line of (fields.get("SHA256") ?? "").split("\n")) {
    const match = /^([0-9a-f]{64})\s+(\d+)\s+(\S+)$/.exec(line.trim());
    if (match !== null) indexes.set(match[3] as string, { sha256: match[1] as string, size: Number(match[2]) });
  }
  return { date: date(fields.get("Date")), validUntil: date(fields.get("Valid-Until")), indexes };
}

const DAY_MS = 86_400_000;

export interface Freshness {
  readonly now: Date;
  readonly maximumAgeDays: number;
  /** False on a host whose administrator told apt not to hold Release files to their Valid-Until; their age still counts. */
  readonly holdsValidUntil: boolean;
}

/** Why a Release file is too old to be believed, in words; null when it is fresh. Pure. */
export function stalenessOf(release: ReleaseFile, { now, maximumAgeDays, holdsValidUntil }: Freshness): string | null {
  if (release.date === null) return "it has no Date, so nobody can tell how old it is";
  if (holdsValidUntil && release.validUntil !== null && release.validUntil < now) {
    return `it was valid until ${release.validUntil.toISOString()}, now it is ${now.toISOString()}`;
  }
  const days = (now.getTime() - release.date.getTime()) / DAY_MS;
  if (days <= maximumAgeDays) return null;
  return `it is ${Math.floor(days)} days old (${release.date.toISOString()}); ${maximumAgeDays} are allowed`;
}

function date(text: string | undefined): Date | null {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? null : new Date(time);
}
