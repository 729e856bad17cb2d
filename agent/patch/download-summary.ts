import { distinctCves } from "../../contract/cve.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Plan, PlannedPackage } from "../../contract/step-report.ts";

interface SummaryInput {
  readonly runId: string;
  readonly dryRun: boolean;
  readonly plan: Plan;
  readonly lockDigest: string;
  readonly at: Date;
}

/** The text of download_summary_<UTC time>.txt: what was decided, for a person and for a build's archive. Pure. */
export function downloadSummary({ runId, dryRun, plan, lockDigest, at }: SummaryInput): string {
  const security = plan.packages.filter((p) => p.security).length;
  const cves = distinctCves(plan.packages.filter((p) => p.from !== null));
  const lines = [
    `AutoPatch download summary, ${at.toISOString()}${dryRun ? ", dry run: nothing was downloaded" : ""}`,
    `run ${runId}`,
    `lock ${lockDigest} (${HOST_PATHS.lock})`,
    `${plan.packages.length} packages to install, ${security} of them security updates, ${plan.downloadBytes} bytes`,
    cves === null ? "CVEs fixed: not known before the packages are downloaded" : `CVEs fixed: ${cves.length}`,
    ...plan.packages.flatMap((p) => {
      const marks = [p.security ? "security" : "", p.critical ? "critical" : ""].filter((mark) => mark !== "");
      return [
        `  ${p.name} ${p.architecture} ${p.from ?? "(new)"} -> ${p.version}${marks.length > 0 ? ` [${marks.join(", ")}]` : ""}`,
        ...cveLines(p),
      ];
    }),
    `${plan.removals.length} packages to remove`,
    ...plan.removals.map((r) => `  ${r.name} ${r.architecture} ${r.version}`),
    `${plan.leftOut.length} pending updates left out`,
    ...plan.leftOut.map((l) => `  ${l.name} ${l.installed} -> ${l.candidate}: ${l.reason}: ${l.message}`),
  ];
  return `${lines.join("\n")}\n`;
}

function cveLines({ cves, cvesIncomplete }: PlannedPackage): string[] {
  const more = cvesIncomplete ? ["and perhaps more: its changelog is cut"] : [];
  const said = [...(cves ?? []), ...more];
  return said.length === 0 ? [] : [`    fixes ${said.join(" ")}`];
}
