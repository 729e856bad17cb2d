import type { Config } from "../host/config.ts";

export const KINDS = ["daily", "weekly", "monthly"] as const;
export type Kind = (typeof KINDS)[number];

/** What a task does: one of this agent's own programs as anybody may call it, another program, or a piece of code by its name. */
export type Work =
  | { readonly by: "agent"; readonly args: readonly string[] }
  | { readonly by: "program"; readonly file: string; readonly args: readonly string[] }
  | { readonly by: "code"; readonly name: CodeName };

export const CODE_NAMES = [
  "diskSpace",
  "recentBackups",
  "temporaryFiles",
  "historyDatabase",
  "weeklyReport",
  "oldLogs",
  "ownLeftovers",
  "configurationReview",
  "monthlyReport",
] as const;
export type CodeName = (typeof CODE_NAMES)[number];

export interface Task {
  /** The seed's own words for it. */
  readonly name: string;
  readonly title: string;
  readonly work: Work;
  /** Minutes after which it is ended, whatever the window. */
  readonly minutes: number;
  /** Where its output goes beside the report, in the log folder; the time and the ending are added. */
  readonly keeps?: { readonly file: string; readonly ending: string };
}

const agent = (...args: string[]): Work => ({ by: "agent", args });
const code = (name: CodeName): Work => ({ by: "code", name });

/** The seed's three lists, in its order. Pure. */
export function tasksOf(kind: Kind, config: Pick<Config, "AUTOPATCH_BACKUP_RETENTION_DAYS">): Task[] {
  switch (kind) {
    case "daily":
      return [
        {
          name: "logrotate",
          title: "Rotate the logs",
          work: { by: "program", file: "logrotate", args: ["-f", "/etc/logrotate.d/autopatch"] },
          minutes: 5,
        },
        { name: "check_disk_space", title: "Disk space", work: code("diskSpace"), minutes: 1 },
        { name: "validate_recent_backups", title: "Backups of three days", work: code("recentBackups"), minutes: 30 },
        { name: "cleanup_temp_files", title: "Temporary files", work: code("temporaryFiles"), minutes: 5 },
        {
          name: "health_check",
          title: "Health of the host",
          work: agent("manager", "show-status", "--health-check"),
          minutes: 5,
        },
      ];
    case "weekly":
      return [
        {
          name: "cleanup_backups",
          title: "Old backups",
          work: agent("rollback", "--cleanup-backups", "--days", String(config.AUTOPATCH_BACKUP_RETENTION_DAYS)),
          minutes: 10,
        },
        {
          name: "audit_report",
          title: "Security audit",
          work: agent("rollback", "--audit-report", "--comprehensive", "--format=html"),
          minutes: 30,
          keeps: { file: "audit", ending: "html" },
        },
        {
          name: "test_backup_restoration",
          title: "Restore test in a clone",
          work: agent("rollback", "--restore-test", "--latest-backup"),
          minutes: 45,
        },
        { name: "optimize_log_database", title: "History database", work: code("historyDatabase"), minutes: 5 },
        {
          name: "generate_weekly_metrics_report",
          title: "Report of the week",
          work: code("weeklyReport"),
          minutes: 5,
          keeps: { file: "report_weekly", ending: "txt" },
        },
      ];
    case "monthly":
      return [
        { name: "archive_old_logs", title: "Archive of old logs", work: code("oldLogs"), minutes: 15 },
        { name: "deep_system_cleanup", title: "AutoPatch's own leftovers", work: code("ownLeftovers"), minutes: 15 },
        {
          name: "test_disaster_recovery_procedures",
          title: "Disaster recovery, dry run",
          work: agent("manager", "disaster-recovery", "--type", "generic", "--mode", "complete", "--dry-run"),
          minutes: 60,
        },
        {
          name: "security_configuration_review",
          title: "What the audit finds that is new",
          work: code("configurationReview"),
          minutes: 30,
        },
        {
          name: "generate_monthly_report",
          title: "Report of the month",
          work: code("monthlyReport"),
          minutes: 5,
          keeps: { file: "report_monthly", ending: "txt" },
        },
      ];
  }
}
