import { FAILURES } from "../../contract/failures.ts";
import type { HostReport, RunReport } from "../../contract/run.ts";
import { OUTCOME_WORDS } from "./sentence.ts";

export interface Notice {
  /** ASCII, at most 100 characters, as SNS takes it. */
  readonly subject: string;
  readonly body: string;
}

/** Hosts that a message names before it says how many more there are. */
const NAMED = 20;

/** What people are told: how it ended, which hosts need somebody, why, and where to read on. Pure. */
export function noticeOf(
  report: RunReport,
  location: { readonly bucket: string; readonly reportPage: string },
): Notice {
  const concerned = report.hosts.filter(needsAttention);
  const lines = [
    report.sentence,
    "",
    `Run ${report.runId}, fleet ${report.fleet}, ${report.plannedAt} to ${report.finishedAt}.`,
    "",
    ...concerned.slice(0, NAMED).flatMap(hostLines),
    ...(concerned.length > NAMED ? [`… and ${concerned.length - NAMED} more.`, ""] : []),
    ...report.leftOut.slice(0, NAMED).map(({ name, reason }) => `Left out: ${name}: ${reason}`),
    ...(report.leftOut.length > 0 ? [""] : []),
    `Everything else is in s3://${location.bucket}/${location.reportPage}`,
  ];
  return { subject: subjectOf(report), body: lines.join("\n") };
}

/** Ended otherwise than it should. */
export function needsAttention({ outcome }: Pick<HostReport, "outcome">): boolean {
  return outcome !== "committed" && outcome !== "planned" && outcome !== "nothingToDo";
}

/** What a person can do about a host; empty when nothing is to be done. */
export function whatNow(host: HostReport): string {
  if (host.outcome === "inDoubt")
    return "Nobody saw where it stands. Look at it: autopatch-manager.sh show-status --detailed; it rolls back by itself if its change was not committed.";
  if (host.failure !== null) return `${capital(FAILURES[host.failure.code].wayOut)}.`;
  if (host.outcome === "unchanged") return "It was not reached; start another run.";
  return "";
}

function hostLines(host: HostReport): string[] {
  const why = host.failure === null ? [] : [`  ${host.failure.step}: ${host.failure.code}: ${host.failure.message}`];
  const now = whatNow(host);
  return [
    `${host.name} (${host.instanceId}): ${OUTCOME_WORDS[host.outcome]}`,
    ...why,
    ...(now === "" ? [] : [`  What now: ${now}`]),
    "",
  ];
}

function subjectOf(report: RunReport): string {
  // The sentence of a run that was stopped or broke begins with that.
  const said = report.outcome === "stopped" || report.outcome === "failed";
  const text = `AutoPatch ${report.fleet}${said ? "" : ` ${report.outcome}`}: ${report.sentence}`.replace(
    /[^\x20-\x7e]+/g,
    "?",
  );
  return text.length <= 100 ? text : `${text.slice(0, 97)}...`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
