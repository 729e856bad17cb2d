import type { RollbackReport } from "../../contract/step-report.ts";

/** What a person reads after a rollback. Pure. */
export function rollbackText(report: RollbackReport): string {
  const { backupId, identical, differences, keptEdits, notCovered, reopenedCves } = report;
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
    ...(reopenedCves === null ? ["Which CVEs are open again is not known."] : []),
    ...(reopenedCves !== null && reopenedCves.length > 0 ? ["These CVEs are open again:"] : []),
    ...(reopenedCves ?? []).map((cve) => `  ${cve}`),
  ];
  return `${lines.join("\n")}\n`;
}
