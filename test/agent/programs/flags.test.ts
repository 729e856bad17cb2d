import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { declarations } from "../../../agent/programs/load.ts";

/** The file under test/ in which each verb and flag is used on a host, with its effect. */
const PROVEN: Readonly<Record<string, readonly string[]>> = {
  "agent/programs/step.test.ts": ["autopatch step --request"],
  "agent/programs/update.test.ts": [
    "autopatch-manager.sh auto-update --check",
    "autopatch-manager.sh auto-update --install",
    "autopatch-manager.sh auto-update --backup",
    "autopatch-manager.sh auto-update --dry-run",
    "autopatch-manager.sh full-update --backup",
    "autopatch-manager.sh full-update --dry-run",
    "install.sh --dry-run",
    "autopatch daemon --once",
    "autopatch daemon --health",
  ],
  "agent/programs/commands.test.ts": [
    "autopatch-manager.sh show-status --format",
    "autopatch-manager.sh show-status --detailed",
    "autopatch-manager.sh show-status --health-check",
    "autopatch-manager.sh show-status --quiet",
    "download.sh --dry-run",
    "download.sh --verbose",
    "rollback.sh --dry-run",
  ],
  "agent/telemetry/exporter.test.ts": [
    "autopatch-manager.sh publish-metrics",
    "autopatch-prometheus-exporter.sh --stdout",
  ],
  "agent/daemon/manage.test.ts": [
    "autopatch-manager.sh manage-daemon --install",
    "autopatch-manager.sh manage-daemon --enable",
    "autopatch-manager.sh manage-daemon --disable",
    "autopatch-manager.sh manage-daemon --uninstall",
    "autopatch-manager.sh manage-daemon --status",
    "autopatch-manager.sh manage-daemon --cron",
    "autopatch-manager.sh install --configure",
  ],
  "agent/security/lockdown/lockdown.test.ts": [
    "autopatch-manager.sh emergency-lockdown --full",
    "autopatch-manager.sh emergency-lockdown --release",
    "autopatch-manager.sh emergency-lockdown --dry-run",
  ],
  "agent/recovery/recover-host.test.ts": [
    "autopatch-manager.sh disaster-recovery --type",
    "autopatch-manager.sh disaster-recovery --mode",
    "autopatch-manager.sh disaster-recovery --backup",
    "autopatch-manager.sh disaster-recovery --dry-run",
    "autopatch-manager.sh disaster-recovery --format",
  ],
  "agent/patch/fleet-lock.test.ts": ["download.sh --lock"],
  "agent/patch/rehearse.test.ts": [
    "install.sh --rehearse",
    "install.sh --no-rehearse",
    "rollback.sh --restore-test",
    "rollback.sh --latest-backup",
  ],
  "agent/programs/install.test.ts": [
    "install.sh --backup",
    "install.sh --verbose",
    "install.sh --force",
    "install.sh --no-backup",
    "install.sh --deadline-seconds",
    "rollback.sh --list-backups",
    "rollback.sh --validate-backup",
    "rollback.sh --restore-system",
    "rollback.sh --force",
  ],
  "agent/backup/previous-debs.test.ts": ["rollback.sh --from-debs"],
  "agent/backup/rebuild.test.ts": [
    "rollback.sh --upload-backups",
    "rollback.sh --fetch-backup",
    "rollback.sh --from-host",
  ],
  "agent/backup/cleanup-host.test.ts": ["rollback.sh --cleanup-backups", "rollback.sh --days"],
  "agent/security/audit/audit.test.ts": [
    "rollback.sh --verify-system",
    "rollback.sh --audit-report",
    "rollback.sh --format",
    "rollback.sh --comprehensive",
    "rollback.sh --output",
    "rollback.sh --fail-on",
  ],
  "agent/maintenance/maintenance.test.ts": ["autopatch-maintenance.sh --format"],
};
/** Called by the agent itself: every rehearsal is one. */
const WITHIN = ["autopatch clone --task"];

test("every verb and flag that is declared is used on a host by a test, and none that is not", async () => {
  const declared = (await declarations()).flatMap(({ name, flags, verbs = {} }) => [
    ...Object.keys(flags).map((flag) => `${name} --${flag}`),
    ...Object.entries(verbs).flatMap(([verb, call]) => {
      const own = Object.keys(call.flags);
      return own.length === 0 ? [`${name} ${verb}`] : own.map((flag) => `${name} ${verb} --${flag}`);
    }),
  ]);

  expect([...Object.values(PROVEN).flat(), ...WITHIN].sort()).toEqual(declared.sort());
});

test.each(Object.entries(PROVEN))("%s uses what it is named for", (file, calls) => {
  const path = new URL(`../../${file}`, import.meta.url);
  expect(existsSync(path), file).toBe(true);
  const text = readFileSync(path, "utf8");
  const missing = calls.filter((call) => !text.includes(call.split(" ").at(-1) ?? call));
  expect(missing).toEqual([]);
});
