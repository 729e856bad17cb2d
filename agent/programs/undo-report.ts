import type { StepDetails } from "../../contract/step-report.ts";

type RollbackReport = NonNullable<StepDetails["rollback"]>;

/** What a person reads after a rollback. Pure. */
export function rollbackText({ backupId, identical, differences, keptEdits, notCovered }: RollbackReport): string {
  const lines = [
    identical
      ? `Restored from ${backupId}: the host is identical to what it was.`
      : differences.length === 0
        ? `Restored from ${backupId}: the host is what it was, but for what was changed since and kept.`
        : `Restored from ${backupId}, but ${differences.length} things differ from what they were:`,
    ...differences.map((d) => `  ${d.path}: ${d.what}: was ${d.before ?? "absent"}, is ${d.after ?? "absent"}`),
    ...(keptEdits.length > 0 ? ["Changed under /etc after the installation, kept:"] : []),
    ...keptEdits.map((line) => `  ${line}`),
    ...(notCovered.length > 0 ? ["Not covered by package backups, left as it is:"] : []),
    ...notCovered.map((line) => `  ${line}`),
  ];
  return `${lines.join("\n")}\n`;
}
