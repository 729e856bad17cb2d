export const DISASTERS = ["hardware_failure", "data_corruption", "security_breach", "generic"] as const;
export type Disaster = (typeof DISASTERS)[number];
export const MODES = ["minimal", "standard", "complete"] as const;
export type Mode = (typeof MODES)[number];

export const PHASES = [
  "lockdown",
  "assessment",
  "isolation",
  "integrity",
  "backup",
  "restore",
  "rebuild",
  "hardening",
  "validation",
] as const;
export type Phase = (typeof PHASES)[number];

/** What happened, by the seed's plan: in this order, phase by phase. Pure. */
export function phasesOf(disaster: Disaster, mode: Mode): readonly Phase[] {
  switch (disaster) {
    case "hardware_failure":
      return mode === "minimal"
        ? ["assessment", "backup", "restore", "validation"]
        : ["assessment", "backup", "restore", "rebuild", "validation"];
    case "data_corruption":
      return ["assessment", "isolation", "integrity", "backup", "restore", "rebuild", "validation"];
    case "security_breach":
      return mode === "minimal"
        ? ["lockdown", "assessment", "integrity", "backup", "restore", "validation"]
        : ["lockdown", "assessment", "integrity", "backup", "restore", "rebuild", "hardening", "validation"];
    case "generic":
      return ["assessment", "integrity", "backup", "restore", "rebuild", "validation"];
  }
}

/** How a phase went. `skipped` is neither success nor failure; `planned` is what a dry run says instead of doing it. */
export interface PhaseReport {
  readonly phase: Phase;
  readonly outcome: "done" | "failed" | "skipped" | "planned";
  readonly startedAt: string;
  readonly seconds: number;
  readonly detail: string;
}

export interface RecoveryReport {
  readonly disaster: Disaster;
  readonly mode: Mode;
  readonly dryRun: boolean;
  readonly startedAt: string;
  readonly finishedAt: string;
  /** The backup it went back to; null when there was no valid one. */
  readonly backupId: string | null;
  readonly phases: readonly PhaseReport[];
}

const WORDS = { done: "done", failed: "FAILED", skipped: "skipped", planned: "planned" } as const;

/** The report for people. Pure. */
export function recoveryText(report: RecoveryReport): string {
  const seconds = (Date.parse(report.finishedAt) - Date.parse(report.startedAt)) / 1_000;
  const lines = [
    `AutoPatch disaster recovery, ${report.disaster}, ${report.mode}, ${report.startedAt}, ${seconds.toFixed(0)} s` +
      (report.dryRun ? ", dry run: nothing was changed" : ""),
    `backup: ${report.backupId ?? "none that is valid"}`,
    ...report.phases.flatMap((phase, i) => [
      `Phase ${i + 1}: ${phase.phase}: ${WORDS[phase.outcome]}, ${phase.seconds} s`,
      ...phase.detail
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map((line) => `    ${line}`),
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

/**
 * What a person does where no backup of this host is valid. Pure.
 * @param asked whether the bucket was asked for one
 */
export function manualPlan(looked: readonly string[], bucket: string | null, asked: boolean): string {
  const lines = [
    "NO VALID BACKUP. What was looked at:",
    ...(looked.length === 0 ? ["  there is no backup on this host"] : looked.map((line) => `  ${line}`)),
    "What to do by hand:",
    "  1. Keep this machine's disk: take a snapshot of its volume before anything else.",
    bucket === null
      ? "  2. Look for a backup elsewhere: set AUTOPATCH_BUCKET in /etc/autopatch/autopatch.conf, then rollback.sh --fetch-backup latest"
      : asked
        ? `  2. ${bucket} was asked too. Another host of the same role: rollback.sh --fetch-backup latest --from-host INSTANCE`
        : `  2. Ask ${bucket}: rollback.sh --fetch-backup latest, or another host of the same role: --from-host INSTANCE`,
    "  3. Start a new instance from the last known good image; AutoPatch brings it to the fleet's lock when it is launched.",
    "  4. Bring the applications' own data back by their own means: AutoPatch does not keep it.",
    "  5. Reinstall what dpkg finds altered: rollback.sh --verify-system names it, apt-get install --reinstall PACKAGE mends it.",
  ];
  return lines.join("\n");
}
