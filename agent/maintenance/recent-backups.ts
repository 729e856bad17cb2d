import { asFailure } from "../../contract/failures.ts";
import { backupIds } from "../backup/store.ts";
import { validateBackup } from "../backup/validate.ts";
import type { Machine } from "../host/machine.ts";
import type { Found } from "./code.ts";

/** Reads every backup of the last days whole against its manifest. */
export async function validateRecentBackups(machine: Machine, days: number): Promise<Found> {
  const since = machine.clock.now().getTime() - days * 86_400_000;
  const recent = backupIds(machine).filter((id) => timeOf(id) >= since);
  const lines: string[] = [];
  const bad: string[] = [];
  for (const id of recent) {
    try {
      const { entries } = await validateBackup(machine, id);
      lines.push(`${id} is valid: ${entries.length} paths`);
    } catch (error) {
      bad.push(id);
      lines.push(`${id} IS NOT VALID: ${asFailure(error).message}`);
    }
  }
  if (recent.length === 0) lines.push(`no backup of the last ${days} days`);
  return { text: `${lines.join("\n")}\n`, problem: bad.length === 0 ? null : `not valid: ${bad.join(", ")}` };
}

/** `backup_20260103T020000Z` in milliseconds since 1970. */
function timeOf(id: string): number {
  const [, y, mo, d, h, mi, s] = /_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(id) ?? [];
  return Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
}
