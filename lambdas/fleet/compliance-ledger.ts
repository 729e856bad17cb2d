import * as z from "zod";
import type { HostCompliance } from "./compliance.ts";

/** What Systems Manager was last told of each host: the hash of it, and when. */
export const ComplianceLedger = z.record(z.string(), z.object({ hash: z.string(), at: z.iso.datetime() }));
export type ComplianceLedger = z.infer<typeof ComplianceLedger>;

/** After so many days a host is told of anew though nothing changed, so that what is kept is never older. */
const REFRESH_DAYS = 30;
const DAY_MS = 86_400_000;

/** Pure: hosts of which Systems Manager does not know what it should. One call a host: of 10,000 hosts most stay as they were. */
export function notYetTold(
  hosts: readonly HostCompliance[],
  ledger: ComplianceLedger,
  now: Date,
): readonly HostCompliance[] {
  return hosts.filter(({ instanceId, hash }) => {
    const known = ledger[instanceId];
    return known === undefined || known.hash !== hash || isOld(known.at, now);
  });
}

/** Pure: the ledger with those that were told now, and without those that nobody spoke of for so long that they are gone. */
export function withTold(ledger: ComplianceLedger, told: readonly HostCompliance[], now: Date): ComplianceLedger {
  const kept = Object.entries(ledger).filter(([, { at }]) => !isOld(at, now));
  const added = told.map(({ instanceId, hash }) => [instanceId, { hash, at: now.toISOString() }]);
  return Object.fromEntries([...kept, ...added]);
}

function isOld(at: string, now: Date): boolean {
  return now.getTime() - Date.parse(at) > REFRESH_DAYS * DAY_MS;
}
