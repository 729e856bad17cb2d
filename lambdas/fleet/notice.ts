import { distinctCves, sortedCves } from "../../contract/cve.ts";
import { FAILURES } from "../../contract/failures.ts";
import type { HostReport, RunReport } from "../../contract/run.ts";
import { type CommandPlace, nextCommands } from "./next-commands.ts";
import { OUTCOME_WORDS } from "./sentence.ts";

export interface Notice {
  /** ASCII, at most 100 characters, as SNS takes it. */
  readonly subject: string;
  /** At most 250,000 bytes; SNS takes 262,144. */
  readonly body: string;
}

/** Where the run was, and where its report lies. */
export interface NoticePlace extends CommandPlace {
  readonly account: string;
}

/** Hosts, or CVEs, that a message names before it says how many more there are. */
const NAMED = 20;
/** Characters of a failure's message; the report has it whole. */
const LONGEST_MESSAGE = 600;
const LARGEST_BODY = 250_000;

/** What people are told: how it ended, where, which hosts need somebody and why, what is fixed and what open, and what to type next. Pure. */
export function noticeOf(report: RunReport, place: NoticePlace): Notice {
  const concerned = report.hosts.filter(needsAttention);
  const lines = [
    report.sentence,
    "",
    `Run ${report.runId}, ${report.operation}, fleet ${report.fleet} in ${place.region} of account ${place.account}, ${report.plannedAt} to ${report.finishedAt}.`,
    "",
    ...concerned.slice(0, NAMED).flatMap(hostLines),
    ...(concerned.length > NAMED ? [`… and ${concerned.length - NAMED} more hosts.`, ""] : []),
    ...report.leftOut.slice(0, NAMED).map(({ name, reason }) => `Left out: ${name}: ${reason}`),
    ...(report.leftOut.length > NAMED ? [`… and ${report.leftOut.length - NAMED} more left out.`] : []),
    ...(report.leftOut.length > 0 ? [""] : []),
    ...cveLines(report),
    "What to type next:",
    ...nextCommands(report, place).flatMap(({ what, command }) => [`  # ${what}`, `  ${command}`]),
    "",
  ];
  const last = `Everything else is in s3://${place.bucket}/${place.reportPage}`;
  return { subject: subjectOf(report), body: `${within(lines.join("\n"), LARGEST_BODY - last.length)}\n${last}` };
}

/** Ended otherwise than it should. */
export function needsAttention({ outcome }: Pick<HostReport, "outcome">): boolean {
  return outcome !== "committed" && outcome !== "planned" && outcome !== "nothingToDo";
}

/** What a person can do about a host; empty when nothing is to be done. */
export function whatNow(host: HostReport): string {
  if (host.outcome === "inDoubt" && host.failure?.code !== "hostGone")
    return "Nobody saw where it stands. Look at it: autopatch-manager.sh show-status --detailed; it rolls back by itself if its change was not committed.";
  if (host.failure !== null) return `${capital(FAILURES[host.failure.code].wayOut)}.`;
  if (host.outcome === "unchanged") return "The run ended before its change; go on with it, or start another.";
  return "";
}

/** Which CVEs a rolled back host has again, in a sentence; empty when it went nowhere or none are known. */
export function openAgain({ rollback }: Pick<HostReport, "rollback">, atMost = Number.POSITIVE_INFINITY): string {
  const cves = rollback?.reopenedCves ?? [];
  return cves.length === 0 ? "" : `Open again: ${listed(cves, atMost)}.`;
}

/** CVEs over all hosts: those that are fixed now, and those that going back opened again. */
function cveLines({ hosts }: RunReport): string[] {
  const patched = hosts.filter(({ outcome }) => outcome === "committed");
  const fixed = distinctCves(patched.flatMap(({ packages }) => packages)) ?? [];
  const back = hosts.filter(({ rollback }) => (rollback?.reopenedCves?.length ?? 0) > 0);
  const open = sortedCves(back.flatMap(({ rollback }) => rollback?.reopenedCves ?? []));
  const line = (what: string, cves: readonly string[], on: number) =>
    cves.length === 0 ? [] : [`${what} on ${on} ${on === 1 ? "host" : "hosts"}: ${listed(cves, NAMED)}`];
  const lines = [...line("CVEs fixed", fixed, patched.length), ...line("CVEs open again", open, back.length)];
  return lines.length === 0 ? [] : [...lines, ""];
}

function hostLines(host: HostReport): string[] {
  const why =
    host.failure === null
      ? []
      : [`  ${host.failure.step}: ${host.failure.code}: ${cut(host.failure.message, LONGEST_MESSAGE)}`];
  const now = whatNow(host);
  const open = openAgain(host, NAMED);
  return [
    `${host.name} (${host.instanceId}): ${OUTCOME_WORDS[host.outcome]}`,
    ...why,
    ...(host.because === undefined ? [] : [`  ${host.because}`]),
    ...(open === "" ? [] : [`  ${open}`]),
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

function listed(cves: readonly string[], atMost: number): string {
  const more = cves.length > atMost ? ` and ${cves.length - atMost} more` : "";
  return `${cves.slice(0, atMost).join(", ")}${more}`;
}

function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest)}…`;
}

/** By bytes: names and messages come from hosts, in whatever script. */
function within(text: string, bytes: number): string {
  const all = Buffer.from(text);
  return all.length <= bytes
    ? text
    : `${all
        .subarray(0, bytes - 8)
        .toString("utf8")
        .replace(/\uFFFD$/, "")}\n…`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
