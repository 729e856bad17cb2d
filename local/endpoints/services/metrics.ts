import { constraintError } from "../aws-error.ts";

/** One value of a metric with its weight, or a set of statistics already taken. */
export interface Datum {
  readonly namespace: string;
  readonly name: string;
  /** Sorted by name. */
  readonly dimensions: readonly Dimension[];
  readonly at: Date;
  readonly unit: string;
  readonly sampleCount: number;
  readonly sum: number;
  readonly minimum: number;
  readonly maximum: number;
}

export interface Dimension {
  readonly Name: string;
  readonly Value: string;
}

export const STATISTICS = ["SampleCount", "Sum", "Average", "Minimum", "Maximum"] as const;
export type Statistic = (typeof STATISTICS)[number];

export function sortedDimensions(dimensions: readonly Dimension[]): Dimension[] {
  return [...dimensions].sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

export function sameDimensions(a: readonly Dimension[], b: readonly Dimension[]): boolean {
  return JSON.stringify(sortedDimensions(a)) === JSON.stringify(sortedDimensions(b));
}

/** The data put into periods of whole multiples of `seconds` since 1970, oldest first; periods without data are left out. */
export function byPeriod(
  data: readonly Datum[],
  { from, to, seconds }: { readonly from: Date; readonly to: Date; readonly seconds: number },
): { at: Date; values: Record<Statistic, number>; unit: string }[] {
  if (seconds < 1) throw constraintError("period", seconds, "Member must have value greater than or equal to 1");
  const periods = new Map<number, Datum[]>();
  for (const datum of data.filter(({ at }) => at >= from && at < to)) {
    const start = Math.floor(datum.at.getTime() / (seconds * 1000)) * seconds * 1000;
    periods.set(start, [...(periods.get(start) ?? []), datum]);
  }
  return [...periods]
    .sort(([a], [b]) => a - b)
    .map(([start, inside]) => ({ at: new Date(start), values: statistics(inside), unit: inside[0]?.unit ?? "None" }));
}

function statistics(data: readonly Datum[]): Record<Statistic, number> {
  const total = (part: (datum: Datum) => number) => data.map(part).reduce((a, b) => a + b, 0);
  const [SampleCount, Sum] = [total((datum) => datum.sampleCount), total((datum) => datum.sum)];
  return {
    SampleCount,
    Sum,
    Average: Sum / SampleCount,
    Minimum: Math.min(...data.map((datum) => datum.minimum)),
    Maximum: Math.max(...data.map((datum) => datum.maximum)),
  };
}
