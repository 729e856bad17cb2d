import { type Html, html, NOTHING } from "../../contract/html.ts";
import type { RunReport } from "../../contract/run.ts";
import { PHASES, type Phase, STEPS } from "../../contract/steps.ts";
import { phaseTimings, spanOf, stepTimings } from "./phase-timings.ts";

/** Milliseconds as people say them. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "unknown";
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3_600)} h ${String(Math.floor((seconds % 3_600) / 60)).padStart(2, "0")} min`;
}

/** Where the time went: each host's steps on one common clock, then phases by wave and steps over all hosts. */
export function timingsSection(report: RunReport): Html {
  const { hosts } = report;
  const spans = hosts.flatMap(({ steps }) => steps.map(({ startedAt, durationMs }) => spanOf(startedAt, durationMs)));
  if (spans.length === 0) return NOTHING;
  const begin = spans.reduce((least, { from }) => Math.min(least, from), Number.POSITIVE_INFINITY);
  const total = spans.reduce((most, { to }) => Math.max(most, to - begin), 1);
  const percent = (ms: number) => ((ms / total) * 100).toFixed(2);
  return html`<h2>Where the time went</h2><div class="card">
${hosts.map(({ name, steps }) => {
  const bars = steps.map(({ step, startedAt, durationMs }) => {
    const left = percent(spanOf(startedAt, durationMs).from - begin);
    return html`<i style="left:${left}%;width:${percent(durationMs)}%;background:var(--s${STEPS.indexOf(step)})" title="${step}: ${duration(durationMs)}"></i>`;
  });
  const spent = steps.reduce((sum, { durationMs }) => sum + durationMs, 0);
  return html`<div class="lane"><span>${name}</span><span class="bar">${bars}</span><span class="soft">${duration(spent)}</span></div>
`;
})}<p class="soft">${duration(total)} from the first step's beginning to the last one's end.</p></div>
${phasesTable(report)}
${stepsTable(report)}`;
}

/** A phase lasts from its first host's first step to its last host's last. */
function phasesTable(report: RunReport): Html {
  const timings = phaseTimings(report);
  const waves = [...new Set(timings.map(({ wave }) => wave))];
  const phases = Object.keys(PHASES) as Phase[];
  return html`<table class="times"><thead><tr><th>Wave</th>${phases.map((phase) => html`<th class="n">${TITLES[phase]}</th>`)}</tr></thead><tbody>
${waves.map(
  (wave) =>
    html`<tr><th>${wave}</th>${phases.map((phase) => {
      const found = timings.find((timing) => timing.wave === wave && timing.phase === phase);
      return html`<td class="n" data-label="${TITLES[phase]}">${found === undefined ? "" : duration(found.ms)}</td>`;
    })}</tr>
`,
)}</tbody></table>`;
}

const TITLES: Readonly<Record<Phase, string>> = { prepare: "Prepared in", apply: "Applied in", check: "Checked in" };

function stepsTable(report: RunReport): Html {
  return html`<table class="times"><thead><tr><th>Step</th><th class="n">Hosts</th><th class="n">Half within</th><th class="n">95 of 100 within</th><th class="n">Slowest</th></tr></thead><tbody>
${stepTimings(report).map(
  ({ step, hosts, p50, p95, max }) =>
    html`<tr><th><i class="dot" style="background:var(--s${STEPS.indexOf(step)})"></i>${step}</th><td class="n" data-label="Hosts">${hosts}</td><td class="n" data-label="Half within">${duration(p50)}</td><td class="n" data-label="95 of 100 within">${duration(p95)}</td><td class="n" data-label="Slowest">${duration(max)}</td></tr>
`,
)}</tbody></table>`;
}
