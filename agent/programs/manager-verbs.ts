import type { Call } from "./declaration.ts";

/** What each verb of autopatch-manager.sh says of itself; apart from what it does, which is loaded when it is called. */

const backup = { type: "boolean", meaning: "makes a backup first, also when one for this lock is there" } as const;
const dryRun = { type: "boolean", meaning: "goes through the same, downloads and changes nothing" } as const;

export const autoUpdateVerb = {
  about:
    "Installs what is pending as far as nothing has to be removed for it. Without --install it only tells what that is.",
  usage: ["[--check]", "--install [--backup] [--dry-run]"],
  flags: {
    check: { type: "boolean", meaning: "refreshes the package lists and tells what is pending" },
    install: { type: "boolean", meaning: "downloads, verifies, backs up, installs, validates and commits it" },
    backup,
    "dry-run": dryRun,
  },
} as const satisfies Call;

export const fullUpdateVerb = {
  about: "Installs all that is pending, as apt's dist-upgrade does: packages may be removed for it.",
  flags: { backup, "dry-run": dryRun },
} as const satisfies Call;

export const installVerb = {
  about:
    "Makes AutoPatch ready on this host: its folders, links and configuration. Can be called again; what is there stays as it is.",
  flags: {
    configure: {
      type: "boolean",
      meaning: "also writes AWS_REGION and INSTANCE_ID into /etc/environment on an EC2 instance, and enables the units",
    },
  },
} as const satisfies Call;

export const daemonVerb = {
  about: "The units of this host: the daemon, the watchdog of a host on trial, and the timers of maintenance.",
  usage: ["--install [--enable] [--cron]", "--enable [--cron]", "--disable", "--uninstall", "--status"],
  flags: {
    install: { type: "boolean", meaning: "makes the units known to systemd, where the package has not done it" },
    enable: { type: "boolean", meaning: "enables and starts them" },
    disable: { type: "boolean", meaning: "stops and disables them" },
    uninstall: { type: "boolean", meaning: "disables them and takes away what --install wrote" },
    status: { type: "boolean", meaning: "tells how they are; exits 11 when the daemon is not active" },
    cron: { type: "boolean", meaning: "schedules maintenance by /etc/cron.d/autopatch instead of timers" },
  },
} as const satisfies Call;

export const lockdownVerb = {
  about:
    "For a host that somebody may have broken into: inbound traffic is closed with nftables but for ssh sessions that are open and answers " +
    "to what the host asks itself (the SSM agent), packages are frozen, evidence is kept. It outlives a reboot. Called again, it goes on " +
    "where it was.",
  usage: ["[--full] [--dry-run]", "--release [--dry-run]"],
  flags: {
    full: {
      type: "boolean",
      meaning: "also stops network-facing services but ssh and the SSM agent, and locks the logins of people",
    },
    release: { type: "boolean", meaning: "puts back exactly what was there before" },
    "dry-run": { type: "boolean", meaning: "says what would be done" },
  },
} as const satisfies Call;

export const statusVerb = {
  about: "Tells what is installed, pending, backed up and in progress on this host. Changes nothing.",
  flags: {
    format: {
      type: "string",
      oneOf: ["json", "text"],
      meaning: "one JSON object, or text for people (the default)",
    },
    detailed: { type: "boolean", meaning: "every pending update, and why others are left out" },
    "health-check": {
      type: "boolean",
      meaning:
        "exits 11 when a change is unfinished, a security violation was logged or the newest backup cannot be used",
    },
    quiet: { type: "boolean", meaning: "prints nothing and asks apt nothing; the exit code tells" },
  },
} as const satisfies Call;

export const publishVerb = {
  about:
    "Publishes this host's figures to CloudWatch with the instance's own role: to AutoPatch/Operations and AutoPatch/Operations/Security, " +
    "under the dimension that AUTOPATCH_CLOUDWATCH in the configuration names.",
  usage: [""],
  flags: {},
} as const satisfies Call;

export const recoveryVerb = {
  about:
    "Recovers this host from its newest valid backup, phase by phase with a report of each: assessment, isolation, integrity, restore, " +
    "rebuilding of indexes and caches, validation; after a security breach a full lockdown and evidence first, hardening after. Without a " +
    "valid backup it says what to do by hand and exits 9.",
  usage: ["--type TYPE --mode MODE [--backup BACKUP] [--dry-run] [--format=json|text]"],
  flags: {
    type: {
      type: "string",
      oneOf: ["hardware_failure", "data_corruption", "security_breach", "generic"],
      meaning: "what happened",
    },
    mode: {
      type: "string",
      oneOf: ["minimal", "standard", "complete"],
      meaning:
        "the critical packages' files alone; the whole backup; that with every cache made anew and hardening written",
    },
    backup: {
      type: "string",
      value: "BACKUP",
      meaning: "this backup and no other; the newest that is valid unless given",
    },
    "dry-run": { type: "boolean", meaning: "changes nothing; the restore is tried in a clone of the host" },
    format: { type: "string", oneOf: ["json", "text"], meaning: "one JSON object, or text for people (the default)" },
  },
} as const satisfies Call;
