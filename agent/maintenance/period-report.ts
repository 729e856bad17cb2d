import type { Machine } from "../host/machine.ts";
import { hostFigures } from "../telemetry/figures.ts";
import { type Operation, operationsSince } from "../telemetry/history.ts";
import type { Found } from "./code.ts";

/** What happened on this host in some days, for people: operations by how they ended, failures, and where it stands. */
export async function reportOf(machine: Machine, days: number): Promise<Found> {
  const now = machine.clock.now();
  const since = new Date(now.getTime() - days * 86_400_000);
  const operations = operationsSince(machine, since);
  const figures = await hostFigures(machine);
  return { text: periodText(operations, figures, since, now), problem: null };
}

type Figures = Awaited<ReturnType<typeof hostFigures>>;

/** Pure. */
export function periodText(operations: readonly Operation[], figures: Figures, from: Date, to: Date): string {
  const failed = operations.filter(({ outcome }) => outcome === "failed");
  const byKind = Map.groupBy(operations, ({ operation }) => operation);
  const rows = [...byKind]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, all]) => {
      const bad = all.filter(({ outcome }) => outcome === "failed").length;
      const seconds = all.reduce((sum, { durationMs }) => sum + durationMs, 0) / all.length / 1_000;
      return `  ${name.padEnd(34)}${String(all.length).padStart(5)} times, ${bad} failed, ${seconds.toFixed(1)} s on average`;
    });
  const lines = [
    `AutoPatch from ${from.toISOString()} to ${to.toISOString()}`,
    `${figures.totalPackages} packages, ${figures.backupCount} backups, ${figures.diskUsagePercent} % of the disk used, ${figures.securityViolations} security violations in the logs`,
    `${operations.length} operations, ${failed.length} failed`,
    ...rows,
    ...(failed.length > 0 ? ["What failed:"] : []),
    ...failed.map(({ startedAt, operation, code, message }) => `  ${startedAt} ${operation}: ${code}: ${message}`),
  ];
  return `${lines.join("\n")}\n`;
}
