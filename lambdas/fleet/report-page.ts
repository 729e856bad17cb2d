import { Html, html, NOTHING } from "../../contract/html.ts";
import { PAGE_STYLE } from "../../contract/page-style.ts";
import type { HostOutcome, HostReport, RunOutcome, RunReport, WaveVerdict } from "../../contract/run.ts";
import { needsAttention, openAgain, whatNow } from "./notice.ts";
import { packagesSection } from "./report-packages.ts";
import { duration, timingsSection } from "./report-timings.ts";
import { OUTCOME_WORDS, outcomeCounts } from "./sentence.ts";

/** A host compared with what it was, by somebody other than its own agent. */
export interface OutsideComparison {
  readonly identical: boolean;
  /** Things compared. */
  readonly compared: number;
  readonly differences: number;
}

type Tone = "good" | "back" | "bad" | "calm";

const RUN: Readonly<Record<RunOutcome, readonly [Tone, string]>> = {
  succeeded: ["good", "Succeeded"],
  partial: ["back", "Partly done"],
  stopped: ["bad", "Stopped"],
  failed: ["bad", "The run itself broke"],
};

const TONE: Readonly<Record<HostOutcome, Tone>> = {
  committed: "good",
  rolledBack: "back",
  unchanged: "calm",
  nothingToDo: "calm",
  blocked: "back",
  planned: "good",
  inDoubt: "bad",
};

/**
 * The run for a person: one page that needs nothing else. What happened, what failed, why, and what now come first. Pure.
 * @param outside comparisons by instance id, where somebody made any
 */
export function renderReportPage(
  report: RunReport,
  outside: ReadonlyMap<string, OutsideComparison> = new Map(),
): string {
  const [tone, word] = RUN[report.outcome];
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>AutoPatch ${report.fleet}: ${word}</title><style>${new Html(PAGE_STYLE)}</style></head>
<body><main>
<header class="${tone}"><p class="kind">${word}${report.dryRun ? " (dry run: nothing was changed)" : ""}</p><h1>${report.sentence}</h1>
<dl class="facts">
<div><dt>Fleet</dt><dd>${report.fleet}</dd></div><div><dt>Run</dt><dd>${report.runId}</dd></div>
<div><dt>Began</dt><dd>${clock(report.plannedAt)}</dd></div>
<div><dt>Took</dt><dd>${duration(Date.parse(report.finishedAt) - Date.parse(report.plannedAt))}</dd></div>
</dl></header>
${countsSection(report)}
${attentionSection(report, outside)}
${wavesSection(report)}
${approvalsSection(report)}
${hostsSection(report, outside)}
${packagesSection(report)}
${timingsSection(report)}
<footer>AutoPatch, ${report.operation}, written ${clock(report.finishedAt)}</footer>
</main></body></html>
`;
  return page.text;
}

function countsSection({ hosts }: RunReport): Html {
  const counts = outcomeCounts(hosts);
  return html`<div class="share" role="presentation">${counts.map(([outcome, count]) => html`<i class="${TONE[outcome]}" style="flex:${count}"></i>`)}</div>
<ul class="counts">${counts.map(([outcome, count]) => html`<li class="${TONE[outcome]}"><b>${count}</b> <span class="mark">${OUTCOME_WORDS[outcome]}</span></li>`)}</ul>`;
}

function attentionSection(
  { hosts, leftOut, dryRun }: RunReport,
  outside: ReadonlyMap<string, OutsideComparison>,
): Html {
  const concerned = hosts.filter(needsAttention);
  if (concerned.length === 0 && leftOut.length === 0) return NOTHING;
  return html`<h2>What needs attention</h2>
${concerned.map((host) => attentionCard(host, outside.get(host.instanceId), dryRun))}
${leftOut.map(({ name, instanceId, reason }) => html`<div class="card calm"><div class="head"><h3>${name}</h3><span class="mark">left out</span><span class="soft">${instanceId}</span></div><p>${reason}</p></div>`)}`;
}

function attentionCard(host: HostReport, seen: OutsideComparison | undefined, dryRun: boolean): Html {
  const now = whatNow(host);
  const open = openAgain(host);
  return html`<div class="card ${TONE[host.outcome]}"><div class="head"><h3>${host.name}</h3>${mark(host.outcome)}<span class="soft">${host.instanceId}</span></div>
${host.failure === null ? NOTHING : html`<p>Failed at <b>${host.failure.step}</b>: ${host.failure.code}</p><pre>${host.failure.message}</pre>`}
<p>${stateOf(host, seen, dryRun)}</p>
${open === "" ? NOTHING : html`<p>${open}</p>`}
${now === "" ? NOTHING : html`<p><b>What now:</b> ${now}</p>`}</div>`;
}

/** Where the host stands now, and how that is known. */
function stateOf(host: HostReport, seen: OutsideComparison | undefined, dryRun: boolean): string {
  const own =
    host.rollback === null
      ? []
      : [
          host.rollback.identical
            ? "Its agent compared it with before: identical."
            : host.rollback.differences === 0
              ? "Its agent compared it with before: identical but for later edits under /etc, which were kept."
              : `Its agent compared it with before: ${host.rollback.differences} differences.`,
        ];
  const other =
    seen === undefined
      ? []
      : [
          `Compared from outside: ${seen.identical ? "identical" : `${seen.differences} differences`} in ${seen.compared.toLocaleString("en")} things.`,
        ];
  const states: Readonly<Record<HostOutcome, string>> = {
    committed: "It runs the new packages.",
    rolledBack: "It is back to what it was before the run.",
    unchanged: dryRun ? "Nothing was to be changed." : "Nothing on it was changed.",
    nothingToDo: "It had nothing to do.",
    blocked: "It held back by itself; nothing on it was changed.",
    planned: "It came to a plan.",
    inDoubt: "Nothing that was seen says whether it is old or new.",
  };
  return [states[host.outcome], ...own, ...other].join(" ");
}

function wavesSection({ waves }: RunReport): Html {
  if (waves.length === 0) return NOTHING;
  return html`<h2>Waves</h2>${waves.map(
    ({ name, hosts, verdicts }) =>
      html`<div class="card"><div class="head"><h3>${name}</h3><span class="soft">${hosts} ${hosts === 1 ? "host" : "hosts"}</span></div>
${verdicts.length === 0 ? html`<p class="soft">Not begun.</p>` : verdicts.map((verdict) => html`<p class="${verdict.decision === "stop" ? "bad" : "good"}"><span class="mark">${stageOf(verdict)}: ${verdict.decision === "stop" ? "stop" : "go on"}</span> ${verdict.reason}</p>`)}</div>`,
  )}`;
}

const PHASE_WORDS: Readonly<Record<WaveVerdict["phase"], readonly [before: string, after: string]>> = {
  prepare: ["before it prepares", "prepared"],
  apply: ["before it applies", "applied"],
  check: ["before its check", "checked after its bake"],
};

function stageOf({ phase, before }: WaveVerdict): string {
  return PHASE_WORDS[phase][before === true ? 0 : 1];
}

function approvalsSection({ approvals = [], waves }: RunReport): Html {
  if (approvals.length === 0) return NOTHING;
  return html`<h2>Approvals</h2>${approvals.map(
    ({ verdict, digest, wave, at, reason, decisions }) =>
      html`<div class="card"><div class="head"><h3>${waves[wave]?.name ?? wave}</h3><span class="mark ${verdict === "approved" ? "good" : "bad"}">${verdict}</span><span class="soft">${clock(at)}</span></div>
${decisions.length > 0 ? NOTHING : html`<p>${reason}</p>`}
${decisions.map((one) => html`<p>${one.decision ?? "stop"} by <b>${one.by}</b>, ${clock(one.at)}${one.reason === "" ? "" : `: ${one.reason}`}</p>`)}
<p class="soft">plan ${digest}</p></div>`,
  )}`;
}

function hostsSection({ hosts, waves }: RunReport, outside: ReadonlyMap<string, OutsideComparison>): Html {
  if (hosts.length === 0) return NOTHING;
  return html`<h2>Hosts</h2><table><thead><tr><th>Host</th><th>Wave</th><th>Outcome</th><th class="n">Packages</th><th>Backup</th>${outside.size > 0 ? html`<th>Seen from outside</th>` : NOTHING}<th class="n">Time</th></tr></thead><tbody>
${hosts.map((host) => {
  const seen = outside.get(host.instanceId);
  const spent = host.steps.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return html`<tr><th>${host.name}<br><span class="soft">${host.instanceId}</span></th><td data-label="Wave">${waves[host.wave]?.name ?? host.wave}</td><td>${mark(host.outcome)}</td><td class="n" data-label="Packages">${host.packages.length}</td><td data-label="Backup">${host.backupId ?? ""}</td>${outside.size > 0 ? html`<td data-label="Seen from outside">${seen === undefined ? "" : seen.identical ? "identical" : `${seen.differences.toLocaleString("en")} differences`}</td>` : NOTHING}<td class="n" data-label="Time">${duration(spent)}</td></tr>
`;
})}</tbody></table>`;
}

function mark(outcome: HostOutcome): Html {
  return html`<span class="mark ${TONE[outcome]}">${OUTCOME_WORDS[outcome]}</span>`;
}

function clock(iso: string): string {
  return `${iso.slice(0, 16).replace("T", " ")} UTC`;
}
