import { realpathSync } from "node:fs";
import { asFailure, Failure } from "../../contract/failures.ts";
import { readManifest } from "../backup/store.ts";
import { activeServices, hasSystemd } from "../host/services.ts";
import { healthChecksOf, PATIENCE, runCheck } from "../patch/health-checks.ts";
import { isCritical } from "../patch/plan.ts";
import type { StepContext } from "../patch/step.ts";
import { engageLockdown } from "../security/lockdown/lockdown.ts";
import { readLockdown } from "../security/lockdown/record.ts";
import { readStatus, statusText } from "../telemetry/status.ts";
import { chooseBackup } from "./choose-backup.ts";
import { type Course, done, planned, type RecoveryRequest, required, type Said } from "./course.ts";
import { harden } from "./harden.ts";
import { keepIsolated, readIsolated } from "./isolated.ts";
import { manualPlan, type Phase, type PhaseReport, phasesOf, type RecoveryReport } from "./phases.ts";
import { rebuildIndexes } from "./rebuild.ts";
import { restorePhase } from "./restore-phase.ts";

/** What a recovery came to, and the failure that ended it; null when the host is recovered. */
export interface Recovered {
  readonly report: RecoveryReport;
  readonly failure: Failure | null;
}

/** Phases that only look. On a host that needs them most they find the least: that must not keep it from being recovered. */
const LOOKS: ReadonlySet<Phase> = new Set(["assessment", "integrity"]);

/**
 * Recovers this host phase by phase. A phase that fails ends it, but for those that only look: what they found is in the report. In a dry
 * run nothing of the host is changed; the restore is tried in a clone.
 */
export async function recoverHost(context: StepContext, request: RecoveryRequest): Promise<Recovered> {
  const { machine } = context;
  const startedAt = machine.clock.now();
  const stopped = context.dryRun ? [] : readIsolated(machine);
  const course: Course = { context, request, stopped, restoring: false, backupId: null };
  const phases: PhaseReport[] = [];
  let failure: Failure | null = null;
  for (const phase of phasesOf(request.disaster, request.mode)) {
    const at = machine.clock.now();
    machine.log.warn(`disaster recovery: ${phase}`);
    const said: Said = failure === null ? await carriedOut(phase, course) : await skipped(phase, course);
    if (!LOOKS.has(phase) && said.outcome === "failed" && "failure" in said) failure = (said as Failed).failure;
    const seconds = Math.round((machine.clock.now().getTime() - at.getTime()) / 1_000);
    phases.push({ phase, outcome: said.outcome, startedAt: at.toISOString(), seconds, detail: said.detail });
  }
  const { disaster, mode } = request;
  const times = { startedAt: startedAt.toISOString(), finishedAt: machine.clock.now().toISOString() };
  return { report: { disaster, mode, dryRun: context.dryRun, ...times, backupId: course.backupId, phases }, failure };
}

/** After a failure the services that were stopped are started again, unless files were put back under them by halves. */
async function skipped(phase: Phase, { context, stopped, restoring }: Course): Promise<Said> {
  const why = "an earlier phase failed";
  if (phase !== "validation" || stopped.length === 0) return { outcome: "skipped", detail: why };
  const names = stopped.join(", ");
  if (restoring) return { outcome: "skipped", detail: `${why}; ${names} stay stopped until a recovery succeeds` };
  const started = await context.machine.exec("systemctl", ["start", ...stopped], { deadlineMs: 300_000 });
  if (started.exitCode !== 0)
    return { outcome: "skipped", detail: `${why}; NOT started again: ${names}: ${started.stderr.trim()}` };
  keepIsolated(context.machine, []);
  return { outcome: "skipped", detail: `${why}; started again: ${names}` };
}

type Failed = Said & { readonly failure: Failure };

async function carriedOut(phase: Phase, course: Course): Promise<Said | Failed> {
  try {
    return await PHASE[phase](course);
  } catch (error) {
    const failure = asFailure(error);
    return { outcome: "failed", detail: failure.message, failure };
  }
}

const PHASE: Readonly<Record<Phase, (course: Course) => Promise<Said>>> = {
  async lockdown({ context }) {
    if (context.dryRun)
      return planned("inbound traffic closed, packages frozen, network-facing services and logins held back");
    const { record, problems } = await engageLockdown(context.machine, true);
    const detail = `evidence: ${record.evidence}\n${problems.join("\n")}`;
    if (problems.length > 0) throw new Failure("lockdownIncomplete", detail);
    return done(detail);
  },

  async assessment({ context }) {
    const status = statusText(await readStatus(context.machine, context.policy), true);
    const units = hasSystemd(context.machine)
      ? await said(context, "systemctl", ["list-units", "--state=failed", "--no-legend", "--plain", "--no-pager"])
      : "";
    return done(`${status}${units.trim() === "" ? "no unit has failed" : `failed units:\n${units}`}`);
  },

  async isolation(course) {
    const { context, request } = course;
    const running = await activeServices(context.machine);
    const names = running.filter((name) =>
      isCritical(name.replace(/(@.*)?\.service$/, ""), request.config.AUTOPATCH_CRITICAL_PACKAGES),
    );
    const earlier = course.stopped.length > 0 ? `; stopped before: ${course.stopped.join(", ")}` : "";
    if (names.length === 0) return done(`no critical service is running${earlier}`);
    if (context.dryRun) return planned(`stop ${names.join(", ")}`);
    course.stopped = [...new Set([...course.stopped, ...names])];
    keepIsolated(context.machine, course.stopped);
    await required(context, "systemctl", ["stop", ...names]);
    return done(`stopped ${names.join(", ")}${earlier}`);
  },

  async integrity({ context }) {
    const result = await context.machine.exec(realpathSync(process.execPath), ["rollback", "--verify-system"], {
      deadlineMs: 1_800_000,
    });
    return done(result.stdout.trim() || result.stderr.trim());
  },

  async backup(course) {
    const { context, request } = course;
    let chosen = await chooseBackup(context.machine, request.backup);
    const bucket = request.config.AUTOPATCH_BUCKET ?? null;
    const asked = chosen.id === null && bucket !== null && request.backup === undefined && !context.dryRun;
    if (asked) {
      const fetched = await context.machine.exec(
        realpathSync(process.execPath),
        ["rollback", "--fetch-backup", "latest"],
        { deadlineMs: 3_600_000 },
      );
      if (fetched.exitCode === 0) chosen = await chooseBackup(context.machine, undefined);
    }
    if (chosen.id === null) throw new Failure("backupMissing", manualPlan(chosen.passedOver, bucket, asked));
    course.backupId = chosen.id;
    const { createdAt, entries } = readManifest(context.machine, chosen.id);
    return done(
      [
        ...chosen.passedOver.map((line) => `passed over: ${line}`),
        `${chosen.id} of ${createdAt} is valid: ${entries.length} paths`,
      ].join("\n"),
    );
  },

  restore: restorePhase,

  async rebuild({ context, request }) {
    if (context.dryRun) return planned("caches and indexes made anew");
    const { done: made, failed } = await rebuildIndexes(context.machine, request.mode);
    return done([`made anew: ${made.join(", ") || "nothing"}`, ...failed.map((line) => `NOT: ${line}`)].join("\n"));
  },

  async hardening({ context, request }) {
    const { done: made, failed } = await harden(context.machine, request.mode, context.dryRun);
    return done([...made, ...failed.map((line) => `NOT: ${line}`)].join("\n") || "nothing to add");
  },

  async validation(course) {
    const { context } = course;
    const { machine } = context;
    const asked = await healthChecksOf(machine, PATIENCE);
    if (context.dryRun)
      return planned(`health checks: ${asked.map(({ name }) => name).join(", ") || "none are configured"}`);
    const lockedDown = readLockdown(machine) !== null;
    if (course.stopped.length > 0 && !lockedDown) await required(context, "systemctl", ["start", ...course.stopped]);
    const checks = [];
    for (const check of asked) checks.push(await runCheck(machine, check, PATIENCE));
    const lines = checks.map(
      ({ name, healthy, evidence }) => `${healthy ? "healthy" : "NOT HEALTHY"}: ${name}: ${evidence}`,
    );
    const running = new Set(await activeServices(machine));
    const missing = lockedDown ? [] : course.stopped.filter((name) => !running.has(name));
    lines.push(...missing.map((name) => `NOT HEALTHY: ${name} is not active`));
    if (lockedDown)
      lines.push(
        "still locked down: autopatch-manager.sh emergency-lockdown --release, once the incident is understood",
      );
    if (missing.length === 0 && !lockedDown) keepIsolated(machine, []);
    if (missing.length > 0 || checks.some(({ healthy }) => !healthy)) throw new Failure("unhealthy", lines.join("\n"));
    return done(lines.join("\n") || "no health check is configured");
  },
};

async function said({ machine }: StepContext, file: string, args: readonly string[]): Promise<string> {
  return (await machine.exec(file, args, { deadlineMs: 60_000 })).stdout;
}
