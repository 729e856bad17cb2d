import { fromTemplate } from "./template.ts";

export interface Changelog {
  readonly version: string;
  /** Of the newest entry, as in the manual pages: 2026-11-25. */
  readonly date: string;
  /** Seconds since 1970 that every file of the package carries: SOURCE_DATE_EPOCH, or the newest entry's. */
  readonly epoch: number;
}

/** Version and time of the package. @throws Error when the changelog's first line or first signature is malformed */
export function readChangelog(environment: Readonly<Record<string, string | undefined>> = process.env): Changelog {
  const text = fromTemplate("changelog");
  const version = /^autopatch \(([0-9][0-9A-Za-z.+~]*)\) /.exec(text)?.[1];
  const signed = /^ -- .*> {2}(.+)$/m.exec(text)?.[1];
  const time = Date.parse(signed ?? "");
  if (version === undefined || Number.isNaN(time))
    throw new Error("agent/package/changelog: its newest entry has no version, or no date");
  const given = environment.SOURCE_DATE_EPOCH;
  const epoch = given !== undefined && /^\d{1,11}$/.test(given) ? Number(given) : time / 1_000;
  return { version, date: new Date(epoch * 1_000).toISOString().slice(0, 10), epoch };
}
