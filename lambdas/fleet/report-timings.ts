import type { RunReport } from "../../contract/run.ts";
import { STEPS } from "../../contract/steps.ts";
import { type Html, html, NOTHING } from "./html.ts";

/** Milliseconds as people say them. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "unknown";
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3_600)} h ${String(Math.floor((seconds % 3_600) / 60)).padStart(2, "0")} min`;
}

/** Where the time went: each host's steps on one common clock. */
export function timingsSection({ hosts }: RunReport): Html {
  const spans = hosts.flatMap(({ steps }) => steps.map(({ startedAt, durationMs }) => spanOf(startedAt, durationMs)));
  if (spans.length === 0) return NOTHING;
  const begin = Math.min(...spans.map(({ from }) => from));
  const total = Math.max(1, Math.max(...spans.map(({ to }) => to)) - begin);
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
})}<p class="key">${STEPS.map((step, index) => html`<span><i style="background:var(--s${index})"></i>${step} ${median(hosts, step)}</span>`)}</p>
<p class="soft">${duration(total)} from the first step's beginning to the last one's end; beside each step, its median.</p></div>`;
}

function median(hosts: RunReport["hosts"], step: string): string {
  const times = hosts
    .flatMap(({ steps }) => steps.filter((one) => one.step === step).map(({ durationMs }) => durationMs))
    .sort((a, b) => a - b);
  const middle = times[Math.floor((times.length - 1) / 2)];
  return middle === undefined ? "" : duration(middle);
}

function spanOf(startedAt: string, durationMs: number): { from: number; to: number } {
  const from = Date.parse(startedAt);
  return { from, to: from + durationMs };
}
