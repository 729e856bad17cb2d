import type { SimulationResult } from "./result.ts";

/** Everything as text for a terminal; what is missed as plain as what is met. Pure. */
export function formatResult(result: SimulationResult): string {
  const { ours, naive, aims, honesty } = result;
  const names = [...new Set([...Object.keys(ours.calls), ...Object.keys(naive.calls)])].sort();
  const throttled = [...new Set([...Object.keys(ours.throttles), ...Object.keys(naive.throttles)])].sort();
  const services = [...new Set([...Object.keys(ours.dollars), ...Object.keys(naive.dollars)])];
  const both = (label: string, of: (side: typeof ours) => string) => [label, of(ours), of(naive)];
  const rows = [
    ["", "AutoPatch", "poll each host"],
    both("wall time", ({ seconds }) => duration(seconds)),
    both("state transitions", ({ transitions }) => count(transitions)),
    both("executions", ({ executions }) => count(executions)),
    ...names.map((name) => both(name, ({ calls }) => count(calls[name] ?? 0))),
    both("Lambda invocations", ({ invocations }) => count(invocations)),
    ...throttled.map((name) => both(`throttled: ${name}`, ({ throttles }) => count(throttles[name] ?? 0))),
    ...services.map((name) => both(`$ ${name}`, ({ dollars }) => money(dollars[name] ?? 0))),
    both("$ in all", ({ total }) => money(total)),
    both("$ hosts' own reports", ({ hostReports }) => money(hostReports)),
    both("hosts without an answer", ({ unanswered }) => count(unanswered)),
  ];
  return [
    `${count(result.hosts)} hosts, seed ${result.seed}${result.firstRun ? ", first run" : ""}${result.faults ? ", with faults" : ""}; prices of ${result.region}`,
    ...columns(rows),
    "",
    `slowest chain of batches: ${duration(result.chainSeconds)}`,
    ...columns(
      aims.map(({ what, value, most, isMet }) => [what, value.toFixed(3), `at most ${most}`, isMet ? "met" : "MISSED"]),
    ),
    "",
    `run: ${result.outcome}: ${result.sentence}`,
    `hosts in the report: ${Object.entries(honesty.outcomes)
      .map(([name, n]) => `${count(n)} ${name}`)
      .join(", ")}`,
    `in doubt without need: ${list(honesty.needlessDoubt)}; untrue: ${list(honesty.untrue)}; not accounted for: ${list(honesty.missing)}`,
    `put back without a fault of their own: ${list(honesty.putBackForOthers)}`,
    `executions without an end: ${list(result.unfinished)}`,
    `on this machine: ${result.machine.seconds.toFixed(1)} s, ${Math.round(result.machine.megabytes)} MB at most`,
    "",
  ].join("\n");
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function money(value: number): string {
  return value.toFixed(4);
}

function list(names: readonly string[]): string {
  return names.length === 0
    ? "none"
    : `${names.length} (${names.slice(0, 3).join("; ")}${names.length > 3 ? "; …" : ""})`;
}

function duration(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.round(seconds % 60)];
  return `${h} h ${String(m).padStart(2, "0")} m ${String(s).padStart(2, "0")} s`;
}
