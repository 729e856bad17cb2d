declare const AUTOPATCH_UNITS: Readonly<Record<string, string>> | undefined;

/** The unit files of agent/units by name, put in by the build: a host that was not given the package gets them from the agent itself. */
export const UNITS: Readonly<Record<string, string>> = typeof AUTOPATCH_UNITS === "object" ? AUTOPATCH_UNITS : {};

/** What starts maintenance. */
export type Schedule = "timers" | "cron";

/** Units that are enabled; the others are started by these. Pure. */
export function enabledUnits(units: Readonly<Record<string, string>>, schedule: Schedule): string[] {
  return Object.entries(units)
    .filter(([name, text]) => text.includes("[Install]") && (schedule === "timers" || !MAINTENANCE.test(name)))
    .map(([name]) => name)
    .sort();
}

const MAINTENANCE = /^autopatch-maintenance-.*\.timer$/;

/** Where cron finds the schedule. */
export const CRONTAB_PATH = "/etc/cron.d/autopatch";

/** The seed's crontab, for hosts whose schedules are all kept there: in place of the maintenance timers. */
export const CRONTAB = `# Written by autopatch-manager.sh manage-daemon --cron, removed by --disable and --uninstall.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
0 2 * * * root /usr/local/bin/autopatch-maintenance.sh daily 60 >> /var/log/autopatch/maintenance.log 2>&1
0 3 * * 0 root /usr/local/bin/autopatch-maintenance.sh weekly 120 >> /var/log/autopatch/maintenance.log 2>&1
0 4 1 * * root /usr/local/bin/autopatch-maintenance.sh monthly 180 >> /var/log/autopatch/maintenance.log 2>&1
`;
