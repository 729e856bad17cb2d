import type { HostFigures, StepName } from "../../contract/steps.ts";
import type { Transaction } from "../patch/journal.ts";
import { TRANSACTION_STATES } from "../patch/journal.ts";
import type { BackupState } from "./backup-state.ts";
import type { Pending } from "./pending.ts";
import type { Metric, Sample } from "./prometheus.ts";

/** What the metrics are made of. */
export interface MetricFacts {
  readonly agentVersion: string;
  readonly figures: HostFigures;
  /** Violations ever logged; see violation-counter.ts. */
  readonly violations: number;
  readonly lastUpdate: Date | null;
  /** Bytes in the folders that the seed counts. */
  readonly diskBytes: number;
  readonly daemonActive: boolean;
  readonly pending: Pending;
  /** State of the last change; null when there never was one. */
  readonly change: Transaction["state"] | null;
  readonly backups: BackupState;
  readonly rebootRequired: boolean;
  /** Milliseconds. */
  readonly durations: ReadonlyMap<StepName, number>;
}

/** Pure: the seed's six by name and type, then what an operator needs beside them. What is not known is left out. */
export function metricsOf(facts: MetricFacts): Metric[] {
  const { figures, pending, backups, change } = facts;
  const known = pending.problem === null;
  return [
    gauge("packages_total", "Total number of packages managed by autopatch", figures.totalPackages),
    gauge("backups_total", "Number of autopatch backups available", backups.count),
    gauge(
      "last_update_timestamp",
      "When an update last ended well, in seconds since 1970; 0 when none ever did",
      seconds(facts.lastUpdate),
    ),
    {
      ...gauge("security_violations_total", "Number of security violations detected", facts.violations),
      type: "counter",
    },
    gauge("disk_usage_bytes", "Disk usage by autopatch in bytes", facts.diskBytes),
    gauge("daemon_status", "Status of autopatch daemon (1=active, 0=inactive)", facts.daemonActive ? 1 : 0),
    gauge("pending_updates", "Updates that could be installed now", known ? pending.total : null),
    gauge("pending_security_updates", "Security updates that could be installed now", known ? pending.security : null),
    labelled("trial_state", "State of the last change: 1 for the one it is in", [
      { labels: { state: "none" }, value: change === null ? 1 : 0 },
      ...TRANSACTION_STATES.map((state) => ({ labels: { state }, value: change === state ? 1 : 0 })),
    ]),
    gauge(
      "last_backup_valid",
      "Whether the newest backup matches its checksums (1=yes, 0=no)",
      backups.valid === null ? null : backups.valid ? 1 : 0,
    ),
    gauge(
      "last_backup_timestamp_seconds",
      "When the newest backup was made, in seconds since 1970",
      backups.latestAt === null ? null : seconds(new Date(backups.latestAt)),
    ),
    gauge("reboot_required", "Whether updates wait for a reboot (1=yes, 0=no)", facts.rebootRequired ? 1 : 0),
    labelled(
      "step_duration_seconds",
      "How long each step took when it was last done",
      [...facts.durations].map(([step, ms]) => ({ labels: { step }, value: ms / 1000 })),
    ),
    labelled("build_info", "The agent's version, as a label", [{ labels: { version: facts.agentVersion }, value: 1 }]),
  ];
}

function gauge(name: string, help: string, value: number | null): Metric {
  return labelled(name, help, value === null ? [] : [{ value }]);
}

function labelled(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name: `autopatch_${name}`, type: "gauge", help, samples };
}

function seconds(date: Date | null): number {
  return date === null ? 0 : Math.floor(date.getTime() / 1000);
}
