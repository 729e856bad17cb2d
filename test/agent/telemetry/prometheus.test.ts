import { describe, expect, test } from "vitest";
import { type MetricFacts, metricsOf } from "../../../agent/telemetry/metrics.ts";
import { formatMetrics } from "../../../agent/telemetry/prometheus.ts";

const FACTS: MetricFacts = {
  agentVersion: "0.1.0",
  figures: { totalPackages: 101, backupCount: 2, diskUsagePercent: 12.5, securityViolations: 0 },
  violations: 3,
  lastUpdate: new Date("2026-11-24T03:00:00Z"),
  diskBytes: 4096,
  daemonActive: true,
  pending: {
    total: 5,
    security: 2,
    critical: [],
    downloadBytes: 0,
    packages: [],
    leftOut: [],
    plannedAt: "2026-11-25T00:00:00.000Z",
    problem: null,
  },
  change: "committed",
  backups: {
    count: 2,
    latest: "backup_20261124T025900Z",
    latestAt: "2026-11-24T02:59:00Z",
    valid: true,
    problem: null,
  },
  rebootRequired: true,
  durations: new Map([["install", 61_500]]),
};

test("the whole page of a host that knows everything: the seed's six first, and no timestamp", () => {
  expect(
    formatMetrics(metricsOf(FACTS)),
  ).toBe(`# HELP autopatch_packages_total Total number of packages managed by autopatch
# TYPE autopatch_packages_total gauge
autopatch_packages_total 101
# HELP autopatch_backups_total Number of autopatch backups available
# TYPE autopatch_backups_total gauge
autopatch_backups_total 2
# HELP autopatch_last_update_timestamp When an update last ended well, in seconds since 1970; 0 when none ever did
# TYPE autopatch_last_update_timestamp gauge
autopatch_last_update_timestamp 1795489200
# HELP autopatch_security_violations_total Number of security violations detected
# TYPE autopatch_security_violations_total counter
autopatch_security_violations_total 3
# HELP autopatch_disk_usage_bytes Disk usage by autopatch in bytes
# TYPE autopatch_disk_usage_bytes gauge
autopatch_disk_usage_bytes 4096
# HELP autopatch_daemon_status Status of autopatch daemon (1=active, 0=inactive)
# TYPE autopatch_daemon_status gauge
autopatch_daemon_status 1
# HELP autopatch_pending_updates Updates that could be installed now
# TYPE autopatch_pending_updates gauge
autopatch_pending_updates 5
# HELP autopatch_pending_security_updates Security updates that could be installed now
# TYPE autopatch_pending_security_updates gauge
autopatch_pending_security_updates 2
# HELP autopatch_trial_state State of the last change: 1 for the one it is in
# TYPE autopatch_trial_state gauge
autopatch_trial_state{state="none"} 0
autopatch_trial_state{state="locked"} 0
autopatch_trial_state{state="backedUp"} 0
autopatch_trial_state{state="applying"} 0
autopatch_trial_state{state="trial"} 0
autopatch_trial_state{state="rollingBack"} 0
autopatch_trial_state{state="committed"} 1
autopatch_trial_state{state="rolledBack"} 0
autopatch_trial_state{state="abandoned"} 0
# HELP autopatch_last_backup_valid Whether the newest backup matches its checksums (1=yes, 0=no)
# TYPE autopatch_last_backup_valid gauge
autopatch_last_backup_valid 1
# HELP autopatch_last_backup_timestamp_seconds When the newest backup was made, in seconds since 1970
# TYPE autopatch_last_backup_timestamp_seconds gauge
autopatch_last_backup_timestamp_seconds 1795489140
# HELP autopatch_reboot_required Whether updates wait for a reboot (1=yes, 0=no)
# TYPE autopatch_reboot_required gauge
autopatch_reboot_required 1
# HELP autopatch_step_duration_seconds How long each step took when it was last done
# TYPE autopatch_step_duration_seconds gauge
autopatch_step_duration_seconds{step="install"} 61.5
# HELP autopatch_build_info The agent's version, as a label
# TYPE autopatch_build_info gauge
autopatch_build_info{version="0.1.0"} 1
`);
});

describe("what is not known is left out, never made up", () => {
  const names = (facts: MetricFacts) =>
    new Set(
      formatMetrics(metricsOf(facts))
        .match(/^autopatch_\w+/gm)
        ?.map((name) => name.slice(10)),
    );

  test("no backup, no plan, nothing ever done", () => {
    const pending = { ...FACTS.pending, total: 0, security: 0, plannedAt: null, problem: "apt is broken" };
    const backups = { count: 0, latest: null, latestAt: null, valid: null, problem: null };
    const none = { ...FACTS, pending, backups, change: null, lastUpdate: null, durations: new Map() };
    expect([...names(FACTS)].filter((name) => !names(none).has(name))).toEqual([
      "pending_updates",
      "pending_security_updates",
      "last_backup_valid",
      "last_backup_timestamp_seconds",
      "step_duration_seconds",
    ]);
    expect(formatMetrics(metricsOf(none))).toContain("\nautopatch_last_update_timestamp 0\n");
    expect(formatMetrics(metricsOf(none))).toContain('\nautopatch_trial_state{state="none"} 1\n');
  });

  test("a value that is no number is a defect, not a line that node_exporter refuses the file for", () => {
    const metric = { name: "m", type: "gauge", help: "h", samples: [{ value: Number.NaN }] } as const;
    expect(() => formatMetrics([metric])).toThrow("m is NaN, which is no number");
  });
});

test("labels and help are escaped as the format says", () => {
  const samples = [{ labels: { path: 'a"b\\c\nd' }, value: 1 }];
  expect(formatMetrics([{ name: "m", type: "gauge", help: "one\ntwo\\", samples }])).toBe(
    '# HELP m one\\ntwo\\\\\n# TYPE m gauge\nm{path="a\\"b\\\\c\\nd"} 1\n',
  );
});
