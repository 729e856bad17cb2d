/** What is to hold of a row: of the ratio ours : peer, or of our own figure where there is no peer. */
export interface Aim {
  readonly of: "ratio" | "ours";
  readonly at: "most" | "least";
  readonly value: number;
}

/** One measured figure beside that of a peer, in the same unit and of the same work. */
export interface Row {
  readonly what: string;
  readonly unit: "ms" | "MB/s" | "MB" | "kB";
  readonly ours: number;
  /** Null when the figure stands alone. */
  readonly peer: { readonly name: string; readonly value: number } | null;
  /** Null when it is shown without one. */
  readonly aim: Aim | null;
}

/** A peer that could not be had on this machine, and why. */
export interface Skipped {
  readonly peer: string;
  readonly why: string;
}

/** Ours : peer, or null without a peer. Pure. */
export function ratio(row: Row): number | null {
  return row.peer === null || row.peer.value === 0 ? null : row.ours / row.peer.value;
}

/** Whether a row meets its aim; null when it has none. Pure. */
export function isMet(row: Row): boolean | null {
  if (row.aim === null) return null;
  const value = row.aim.of === "ours" ? row.ours : ratio(row);
  if (value === null) return null;
  return row.aim.at === "most" ? value <= row.aim.value : value >= row.aim.value;
}

/** The middle of several measurements. @throws RangeError without any */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new RangeError("the median of nothing");
  return (low + high) / 2;
}
