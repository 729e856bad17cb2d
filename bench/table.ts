import { type Aim, isMet, type Row, ratio, type Skipped } from "./row.ts";

const HEAD = ["what", "ours", "peer", "", "ratio", "aim", ""] as const;
/** Columns of figures, which read better flush right. */
const RIGHT: ReadonlySet<number> = new Set([1, 2, 4]);

/** The rows as a table for a terminal, missed aims as plain as met ones, and the peers that were skipped. Pure. */
export function formatTable(rows: readonly Row[], skipped: readonly Skipped[]): string {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, at) => Math.max(...lines.map((line) => (line[at] ?? "").length)));
  const table = lines.map((line) => line.map((cell, at) => pad(cell, widths[at] ?? 0, RIGHT.has(at))).join("  "));
  const judged = rows.map(isMet).filter((met) => met !== null);
  const met = judged.filter((one) => one).length;
  return [
    ...table.map((line) => line.trimEnd()),
    ...skipped.map(({ peer, why }) => `skipped: ${peer}: ${why}`),
    `${met} of ${judged.length} aims met`,
    "",
  ].join("\n");
}

function cells(row: Row): string[] {
  const found = ratio(row);
  const met = isMet(row);
  return [
    row.what,
    `${number(row.ours)} ${row.unit}`,
    row.peer === null ? "" : `${number(row.peer.value)} ${row.unit}`,
    row.peer?.name ?? "",
    found === null ? "" : found.toFixed(2),
    row.aim === null ? "" : aimText(row.aim, row.unit),
    met === null ? "" : met ? "met" : "MISSED",
  ];
}

function aimText({ of, at, value }: Aim, unit: Row["unit"]): string {
  return `at ${at} ${value}${of === "ours" ? ` ${unit}` : ""}`;
}

function number(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toFixed(1);
}

function pad(cell: string, width: number, right: boolean): string {
  return right ? cell.padStart(width) : cell.padEnd(width);
}
