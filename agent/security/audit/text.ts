import {
  type AuditReport,
  type CheckOutcome,
  type Finding,
  SEVERITIES,
  type VerifyReport,
} from "../../../contract/audit.ts";

const WIDTH = 80;

/** The audit for a person, 80 columns wide, the worst first. Pure. */
export function auditText(report: AuditReport): string {
  const { counts, checks, findings } = report;
  const unknown = checks.filter((one) => one.status === "unknown");
  const lines = [
    ...wrap(`AutoPatch audit of ${report.host}, ${report.release}`, 0),
    ...wrap(
      `${report.startedAt}, ${checks.length} checks in ${seconds(report.durationMs)}${report.comprehensive ? ", comprehensive" : ""}`,
      0,
    ),
    "",
    ...wrap(
      `${SEVERITIES.map((one) => `${counts[one]} ${one}`).join("  ")}${unknown.length > 0 ? `  (${unknown.length} unknown)` : ""}`,
      0,
    ),
    ...findings.flatMap(findingLines),
    ...checksLines("Unknown: neither passed nor failed", unknown),
    ...checksLines(
      "Not applicable",
      checks.filter((one) => one.status === "notApplicable"),
    ),
    ...passedLines(checks.filter((one) => one.status === "passed")),
  ];
  return `${lines.join("\n")}\n`;
}

function findingLines({ severity, title, evidence, evidenceTotal, remedy }: Finding): string[] {
  const more = evidenceTotal - evidence.length;
  return [
    "",
    ...wrap(`${severity.toUpperCase().padEnd(8)}  ${title}`, 10),
    ...evidence.flatMap((line) => wrap(`  ${line}`, 4)),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...wrap(`  => ${remedy}`, 5),
  ];
}

function checksLines(title: string, checks: readonly CheckOutcome[]): string[] {
  if (checks.length === 0) return [];
  return ["", `${title}:`, ...checks.flatMap((one) => wrap(`  ${one.title}: ${one.reason ?? ""}`, 4))];
}

function passedLines(checks: readonly CheckOutcome[]): string[] {
  if (checks.length === 0) return [];
  return ["", "Passed:", ...checks.flatMap((one) => wrap(`  ${one.title}`, 4))];
}

const SHOWN = 50;

/** The comparison with the packages' checksums for a person. Pure. */
export function verifyText(report: VerifyReport): string {
  const { altered, conffiles, sinceInstall: since } = report;
  const verdict = report.intact
    ? "intact: no file of a package is altered or missing"
    : `NOT INTACT: ${altered.length} ${altered.length === 1 ? "file differs" : "files differ"} from what the packages brought`;
  const file = (one: VerifyReport["altered"][number]) => wrap(`  ${one.path} (${one.package}): ${one.what}`, 4);
  const lines = [
    ...wrap(`${report.host}, ${report.release}: ${verdict}`, 0),
    ...wrap(
      `${report.files} files of ${report.packages} packages read in ${seconds(report.durationMs)}, ${report.startedAt}`,
      0,
    ),
    ...listLines("Altered or missing:", altered.flatMap(file)),
    ...listLines("Configuration files changed by an administrator (no fault):", conffiles.flatMap(file)),
    ...(report.excluded > 0 ? ["", `${report.excluded} files were never unpacked: dpkg's path-exclude.`] : []),
    ...listLines(
      "Without checksums, so that nothing can be said of them:",
      report.withoutSums.map((one) => `  ${one}`),
    ),
    "",
    ...(since === null
      ? ["There is no record of an install by AutoPatch."]
      : [
          ...wrap(
            `Since the install of ${since.finishedAt} (${since.backupId}): ${since.changed} changed, ${since.appeared} appeared, ${since.vanished} vanished${since.packagesChanged ? "; packages were changed by something else" : ""}`,
            2,
          ),
          ...cut(
            since.paths.map((one) => `  ${one.path}: ${one.what}`),
            since.changed + since.appeared + since.vanished,
          ),
        ]),
  ];
  return `${lines.join("\n")}\n`;
}

function listLines(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...cut(lines, lines.length)];
}

function cut(lines: readonly string[], total: number): string[] {
  const shown = lines.slice(0, SHOWN);
  return total > shown.length ? [...shown, `  and ${total - shown.length} more: --format=json has them`] : shown;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Breaks at blanks; what has none, as a path, stays whole. Pure. @param indent of the lines that follow */
export function wrap(text: string, indent: number): string[] {
  const lead = /^ */.exec(text)?.[0] ?? "";
  const lines: string[] = [];
  let line = lead;
  for (const word of text.slice(lead.length).split(" ")) {
    const joined = line.trim() === "" ? line + word : `${line} ${word}`;
    if (joined.length <= WIDTH || line.trim() === "") line = joined;
    else {
      lines.push(line);
      line = " ".repeat(indent) + word;
    }
  }
  return [...lines, line];
}
