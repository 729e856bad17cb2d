import { writeFileSync } from "node:fs";
import { type AuditReport, SEVERITIES, type Severity } from "../../contract/audit.ts";
import { EXIT } from "../../contract/failures.ts";
import { auditText, verifyText } from "../security/audit/text.ts";
import { openCommand } from "./command.ts";
import { suggestion, Usage } from "./program.ts";

interface AuditFlags {
  readonly "audit-report"?: boolean;
  readonly "verify-system"?: boolean;
  readonly format?: string;
  readonly comprehensive?: boolean;
  readonly output?: string;
  readonly "fail-on"?: string;
}

const FORMATS = { "audit-report": ["text", "json", "html"], "verify-system": ["text", "json"] } as const;

/** `rollback.sh --audit-report` and `--verify-system`. @returns the security exit for what was asked to be one */
export async function runAudit(flags: AuditFlags): Promise<number> {
  const verb = flags["audit-report"] === true ? "audit-report" : "verify-system";
  const format = oneOf(`rollback.sh --${verb} --format`, flags.format ?? "text", FORMATS[verb]);
  if (verb === "verify-system") {
    for (const flag of ["comprehensive", "fail-on"] as const)
      if (flags[flag] !== undefined) throw new Usage(`rollback.sh: --${flag} belongs to --audit-report`);
  }
  const worst =
    flags["fail-on"] === undefined ? null : oneOf("rollback.sh --audit-report --fail-on", flags["fail-on"], SEVERITIES);
  const { machine, context, config } = openCommand("rollback", { dryRun: true });
  if (verb === "verify-system") {
    const { verifySystem } = await import("../security/audit/verify-system.ts");
    const report = await verifySystem(machine);
    put(flags.output, format === "json" ? `${JSON.stringify(report, null, 2)}\n` : verifyText(report));
    if (report.intact) return EXIT.ok;
    process.stderr.write(`autopatch: ${report.altered.length} system files are altered or missing\n`);
    return EXIT.security;
  }
  // Loaded here: --verify-system needs no check, and what they load takes time.
  const [{ audit }, { sharedFacts }] = await Promise.all([
    import("../security/audit/audit.ts"),
    import("../security/audit/shared-facts.ts"),
  ]);
  const report = await audit({
    machine,
    policy: context.policy,
    retentionDays: config.AUTOPATCH_BACKUP_RETENTION_DAYS,
    comprehensive: flags.comprehensive === true,
    facts: sharedFacts(machine, context.policy),
  });
  put(flags.output, await render(report, format));
  const failing = worst === null ? 0 : atLeast(report, worst);
  if (failing === 0) return EXIT.ok;
  process.stderr.write(`autopatch: ${failing} findings are ${worst} or worse\n`);
  return EXIT.security;
}

async function render(report: AuditReport, format: "text" | "json" | "html"): Promise<string> {
  if (format === "json") return `${JSON.stringify(report, null, 2)}\n`;
  return format === "html" ? (await import("../security/audit/page.ts")).auditPage(report) : auditText(report);
}

/** Pure: findings of this severity or a worse one. */
function atLeast({ counts }: AuditReport, severity: Severity): number {
  return SEVERITIES.slice(0, SEVERITIES.indexOf(severity) + 1).reduce((sum, one) => sum + counts[one], 0);
}

/** What a caller names is the caller's: pipelines archive it. */
function put(output: string | undefined, text: string): void {
  if (output === undefined) process.stdout.write(text);
  else writeFileSync(output, text, { mode: 0o600 });
}

function oneOf<T extends string>(what: string, word: string, known: readonly T[]): T {
  const found = known.find((one) => one === word);
  if (found === undefined) throw new Usage(`${what}: unknown value ${word}${suggestion(word, known)}`);
  return found;
}
