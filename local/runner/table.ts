import type { SeenHost } from "./outcome.ts";

/** The table at the end, one line a host. No line is wider than `columns` unless a name alone is. */
export function hostTable(hosts: readonly SeenHost[], columns: number): string {
  const rows = hosts.map((host) => [
    host.name,
    host.waveName,
    host.outcome,
    String(host.packages.length),
    host.identical === null ? "as planned" : host.identical ? "identical" : "DIFFERS",
    host.failure === null ? "" : `${host.failure.step}: ${host.failure.message.split("\n")[0] ?? ""}`,
  ]);
  return aligned([["host", "wave", "outcome", "packages", "from outside", "why"], ...rows], columns);
}

/** Where the time went, longest first after the order given. @param phases milliseconds */
export function timeTable(phases: readonly { readonly phase: string; readonly ms: number }[]): string {
  const total = phases.reduce((sum, { ms }) => sum + ms, 0);
  const rows = [...phases, { phase: "total", ms: total }].map(({ phase, ms }) => [
    phase,
    `${(ms / 1000).toFixed(1)} s`,
  ]);
  const width = Math.max(...rows.map(([, time]) => time?.length ?? 0));
  return rows.map(([phase, time]) => `  ${time?.padStart(width)}  ${phase}`).join("\n");
}

function aligned(rows: readonly (readonly string[])[], columns: number): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) => {
      const line = row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join("  ");
      return `  ${line}`.trimEnd();
    })
    .map((line) => (line.length > columns ? `${line.slice(0, Math.max(1, columns - 1))}…` : line))
    .join("\n");
}
