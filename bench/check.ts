import { HOST_PATHS } from "../contract/names.ts";
import { median, type Row } from "./row.ts";
import type { Stage } from "./stage.ts";

const RUNS = 3;

/** What is pending, as a person or a timer asks it: our whole plan with its reasons. */
export async function compareCheck(stage: Stage): Promise<Row[]> {
  const host = await stage.host();
  const ours: number[] = [];
  const apt: number[] = [];
  const kept: number[] = [];
  const health: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    // Asked anew: what apt said last is kept while nothing changes.
    await host.run("rm", ["-f", `${HOST_PATHS.state}/pending.json`]);
    ours.push(await host.time("autopatch-manager.sh", ["show-status", "--format=json"]));
    apt.push(await host.time("apt-get", ["-s", "dist-upgrade"]));
    kept.push(await host.time("autopatch-manager.sh", ["show-status", "--format=json"]));
    health.push(await host.time("autopatch-manager.sh", ["show-status", "--health-check", "--quiet"]));
  }
  const status = await host.run("autopatch-manager.sh", ["show-status", "--format=json"]);
  const { pending } = JSON.parse(status.stdout) as { pending: { total: number; problem: string | null } };
  if (pending.problem !== null) throw new Error(`show-status: ${pending.problem}`);
  const what = `check, ${pending.total} pending`;
  const row = (name: string, value: number, limit: number): Row => ({
    what,
    unit: "ms",
    ours: median(ours),
    peer: { name, value },
    aim: { of: "ratio", at: "most", value: limit },
  });
  const alone = (name: string, times: readonly number[]): Row => ({
    what: name,
    unit: "ms",
    ours: median(times),
    peer: null,
    aim: null,
  });
  const rows = [
    row("apt-get -s dist-upgrade", median(apt), 1.3),
    alone("show-status when nothing changed", kept),
    alone("health check", health),
  ];
  if (!stage.has("unattended-upgrade")) return rows;
  return [...rows, row("unattended-upgrade --dry-run", await host.time("unattended-upgrade", ["--dry-run"]), 0.2)];
}
