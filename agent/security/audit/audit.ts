import { hostname } from "node:os";
import {
  type AuditReport,
  type CheckOutcome,
  EVIDENCE_LIMIT,
  type Finding,
  SEVERITIES,
} from "../../../contract/audit.ts";
import { bootId, osRelease } from "../../host/identity.ts";
import { AGENT_VERSION } from "../../version.ts";
import type { AuditContext, Checker, Draft, Looked } from "./checker.ts";
import { CHECKERS } from "./checkers.ts";

/** What one check may take, in milliseconds, and the whole report. */
export interface AuditPatience {
  readonly checkMs: number;
  readonly wholeMs: number;
}
export const AUDIT_PATIENCE: AuditPatience = { checkMs: 120_000, wholeMs: 600_000 };

/** One line of evidence, at most. */
const LINE_LIMIT = 400;

/**
 * Looks at the host with every check, one after the other, and changes nothing. A check that cannot look, or does not end in time,
 * is unknown; it stops no other.
 */
export async function audit(
  context: AuditContext,
  checkers: readonly Checker[] = CHECKERS,
  patience: AuditPatience = AUDIT_PATIENCE,
): Promise<AuditReport> {
  const { machine, comprehensive } = context;
  const startedAt = machine.clock.now();
  const findings: Finding[] = [];
  const checks: CheckOutcome[] = [];
  const elapsed = () => machine.clock.now().getTime() - startedAt.getTime();
  for (const checker of checkers) {
    if (checker.comprehensive === true && !comprehensive) continue;
    const from = performance.now();
    const left = Math.min(patience.checkMs, patience.wholeMs - elapsed());
    const result = await look(checker, context, left);
    checks.push(outcomeOf(checker, result, Math.round(performance.now() - from)));
    if (result.kind === "looked") findings.push(...result.findings.map((one) => findingOf(checker, one)));
  }
  findings.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  return {
    format: 1,
    host: hostname(),
    release: osRelease(machine).name,
    bootId: bootId(machine),
    agentVersion: AGENT_VERSION,
    startedAt: startedAt.toISOString(),
    durationMs: elapsed(),
    comprehensive,
    counts: countsOf(findings),
    findings,
    checks,
  };
}

async function look(checker: Checker, context: AuditContext, leftMs: number): Promise<Looked> {
  if (leftMs <= 0) return { kind: "unknown", reason: "there was no time left for it" };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Looked>((resolve) => {
    const reason = `it did not end within ${Math.round(leftMs / 1000)} s`;
    timer = setTimeout(() => resolve({ kind: "unknown", reason }), leftMs);
  });
  try {
    return await Promise.race([checker.run(context), late]);
  } catch (error) {
    return { kind: "unknown", reason: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

function outcomeOf({ id, title }: Checker, result: Looked, durationMs: number): CheckOutcome {
  if (result.kind !== "looked") return { id, title, status: result.kind, reason: result.reason, durationMs };
  return { id, title, status: result.findings.length > 0 ? "findings" : "passed", reason: null, durationMs };
}

/** Pure: evidence bounded in lines and length. */
export function findingOf(checker: Pick<Checker, "id">, one: Draft): Finding {
  const evidence = one.evidence
    .slice(0, EVIDENCE_LIMIT)
    .map((line) => (line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}…` : line).replace(/\s*\n\s*/g, " | "));
  return { ...one, check: checker.id, evidence, evidenceTotal: one.evidence.length };
}

/** Pure: how many there are of each severity, none left out. */
export function countsOf(findings: readonly Pick<Finding, "severity">[]): AuditReport["counts"] {
  const of = (severity: Finding["severity"]) => findings.filter((one) => one.severity === severity).length;
  return { critical: of("critical"), high: of("high"), medium: of("medium"), low: of("low"), info: of("info") };
}
