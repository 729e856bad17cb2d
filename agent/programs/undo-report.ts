import type { StepDetails } from "../../contract/step-report.ts";

type RollbackReport = NonNullable<StepDetails["rollback"]>;

/** What a person reads after a rollback. Pure. */
export function rollbackText({ backupId, identical, differences, notCovered }: RollbackReport): string {
  const lines = [
    identical
      ? `Restored from ${backupId}: the host is identical to what it was.`
      : `Restored from ${backupId}, but ${differences.length} things differ from what they were:`,
    ...differences.map((d) => `  ${d.path}: ${d.what}: was ${d.before ?? "absent"}, is ${d.after ?? "absent"}`),
    ...(notCovered.length > 0 ? ["Not covered by package backups, left as it is:"] : []),
    ...notCovered.map((line) => `  ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}
