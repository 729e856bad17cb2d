import {
  type AuditReport,
  type CheckOutcome,
  type Finding,
  SEVERITIES,
  type Severity,
} from "../../../contract/audit.ts";
import { Html, html, NOTHING } from "../../../contract/html.ts";
import { PAGE_STYLE } from "../../../contract/page-style.ts";

const TONE: Readonly<Record<Severity, string>> = {
  critical: "bad",
  high: "high",
  medium: "back",
  low: "calm",
  info: "calm",
};

const STATUS: Readonly<Record<CheckOutcome["status"], readonly [tone: string, word: string]>> = {
  findings: ["back", "findings"],
  unknown: ["back", "unknown"],
  passed: ["good", "passed"],
  notApplicable: ["calm", "not applicable"],
};

/** What this page has beyond the house's style. */
const OWN_STYLE = `
.high{--tone:light-dark(#b8430b,#ffa36e)}
.counts li.none{--tone:var(--soft);opacity:.65}
h2.mark{color:var(--tone);text-transform:capitalize}
.card{border-left:4px solid var(--tone)}
.seen{list-style:none;margin:6px 0;padding:8px 10px;background:var(--page);border-radius:6px;font:13px/1.45 ui-monospace,"SF Mono",Menlo,Consolas,monospace}
.seen li{padding-left:2ch;text-indent:-2ch}
.do{margin:8px 0 0}
td.n{white-space:nowrap}
td .soft,th .soft{font-size:13px}
@media print{.card{break-inside:avoid}.seen{padding:4px 0;background:none}.card{border-left-width:3px}}
`;

/** The audit as one page that needs nothing else: Jenkins can publish it as it is. Pure. */
export function auditPage(report: AuditReport): string {
  const worst = SEVERITIES.find((one) => report.counts[one] > 0);
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>AutoPatch audit of ${report.host}</title><style>${new Html(PAGE_STYLE + OWN_STYLE)}</style></head>
<body><main>
<header class="${worst === undefined ? "good" : TONE[worst]}"><p class="kind">Security audit${report.comprehensive ? ", comprehensive" : ""}</p><h1>${sentence(report)}</h1>
<dl class="facts">
<div><dt>Host</dt><dd>${report.host}</dd></div><div><dt>Release</dt><dd>${report.release}</dd></div>
<div><dt>Looked at</dt><dd>${report.startedAt.slice(0, 16).replace("T", " ")} UTC</dd></div>
<div><dt>Took</dt><dd>${(report.durationMs / 1000).toFixed(1)} s</dd></div>
</dl></header>
${countsSection(report)}
${SEVERITIES.map((severity) => severitySection(severity, report))}
${checksSection(report.checks)}
<footer>AutoPatch ${report.agentVersion}. Nothing was changed by this audit.</footer>
</main></body></html>
`;
  return page.text;
}

/** The whole in one sentence. Pure. */
export function sentence({ host, counts, checks }: Pick<AuditReport, "host" | "counts" | "checks">): string {
  const unknown = checks.filter((one) => one.status === "unknown").length;
  const urgent = counts.critical + counts.high;
  const rest = unknown === 0 ? "" : `; ${unknown} ${unknown === 1 ? "check" : "checks"} could not look`;
  if (urgent > 0) return `${host} has ${urgent} ${urgent === 1 ? "finding" : "findings"} to mend soon${rest}`;
  if (counts.medium + counts.low > 0)
    return `${host} has nothing urgent, ${counts.medium + counts.low} lesser findings${rest}`;
  return `${host}: nothing was found amiss${rest}`;
}

function countsSection({ counts }: AuditReport): Html {
  const seen = SEVERITIES.filter((one) => counts[one] > 0);
  return html`<div class="share" role="presentation">${seen.map((one) => html`<i class="${TONE[one]}" style="flex:${counts[one]}"></i>`)}</div>
<ul class="counts">${SEVERITIES.map((one) => html`<li class="${TONE[one]}${counts[one] === 0 ? " none" : ""}"><b>${counts[one]}</b> <span class="mark">${one}</span></li>`)}</ul>`;
}

function severitySection(severity: Severity, { findings }: AuditReport): Html {
  const own = findings.filter((one) => one.severity === severity);
  if (own.length === 0) return NOTHING;
  return html`<h2 class="mark ${TONE[severity]}">${severity}</h2>${own.map(findingCard)}`;
}

function findingCard({ id, severity, title, evidence, evidenceTotal, remedy }: Finding): Html {
  const more = evidenceTotal - evidence.length;
  return html`<div class="card ${TONE[severity]}" id="${id}"><h3>${title}</h3>
<ul class="seen">${evidence.map((line) => html`<li>${line}</li>`)}${more > 0 ? html`<li class="soft">and ${more} more</li>` : NOTHING}</ul>
<p class="do"><b>What now:</b> ${remedy}</p></div>
`;
}

function checksSection(checks: readonly CheckOutcome[]): Html {
  const order = ["unknown", "findings", "passed", "notApplicable"];
  const sorted = [...checks].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status));
  return html`<h2>Checks</h2><table><thead><tr><th>Check</th><th>Outcome</th><th class="n">Time</th></tr></thead><tbody>
${sorted.map(({ title, status, reason, durationMs }) => {
  const [tone, word] = STATUS[status];
  return html`<tr><th>${title}${reason === null ? NOTHING : html`<br><span class="soft">${reason}</span>`}</th><td><span class="mark ${tone}">${word}</span></td><td class="n" data-label="Time">${lasted(durationMs)}</td></tr>
`;
})}</tbody></table>`;
}

function lasted(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
