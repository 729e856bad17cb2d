import * as z from "zod";
import { HOST_PATHS } from "../../contract/names.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Found, TaskContext } from "./code.ts";

const BASELINE = `${HOST_PATHS.state}/audit-baseline.json`;
/** Of the audit's JSON, what tells one finding from another. */
const Audit = z.object({
  findings: z.array(
    z.object({ id: z.string(), severity: z.string(), title: z.string(), evidence: z.array(z.string()).default([]) }),
  ),
});
/** Lines of evidence that are told of a finding; all of it is in the audit. */
const EVIDENCE = 2;
type Finding = z.infer<typeof Audit>["findings"][number];

/** Audits the host's configuration and tells what was not there a month ago. */
export async function reviewConfiguration({ machine, ask }: TaskContext): Promise<Found> {
  const { text, good } = await ask("rollback", "--audit-report", "--comprehensive", "--format=json");
  if (!good) return { text, problem: "the audit could not be made" };
  const { findings } = Audit.parse(JSON.parse(text));
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const before = readOwn(machine, BASELINE);
  const known = before === null ? null : Audit.parse(JSON.parse(before)).findings;
  writeOwn(machine, BASELINE, `${JSON.stringify({ findings })}\n`, 0o600);
  return { text: reviewText(findings, known), problem: null };
}

/** Pure. @param known findings of the last review; null when this is the first */
export function reviewText(findings: readonly Finding[], known: readonly Finding[] | null): string {
  const keyOf = ({ id, title }: Finding) => `${id} ${title}`;
  const was = new Set((known ?? []).map(keyOf));
  const is = new Set(findings.map(keyOf));
  const fresh = known === null ? [] : findings.filter((finding) => !was.has(keyOf(finding)));
  const gone = (known ?? []).filter((finding) => !is.has(keyOf(finding)));
  const lines = [
    `${findings.length} findings${known === null ? ", the first review: nothing to compare with" : `, ${fresh.length} new, ${gone.length} gone`}`,
    ...fresh.map(
      (finding) => `new: ${finding.severity}: ${[finding.title, ...finding.evidence.slice(0, EVIDENCE)].join("; ")}`,
    ),
    ...gone.map((finding) => `gone: ${finding.severity}: ${finding.title}`),
  ];
  return `${lines.join("\n")}\n`;
}
