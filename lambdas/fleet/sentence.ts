import { HOST_OUTCOMES, type HostOutcome, type RunReport } from "../../contract/run.ts";

/** How an outcome is said of hosts. */
export const OUTCOME_WORDS: Readonly<Record<HostOutcome, string>> = {
  committed: "committed",
  rolledBack: "rolled back",
  unchanged: "left unchanged",
  nothingToDo: "had nothing to do",
  blocked: "blocked",
  planned: "planned",
  inDoubt: "in doubt",
};

type Told = Pick<RunReport, "outcome" | "hosts" | "waves" | "leftOut" | "dryRun">;

/** How many hosts ended in each way; ways that none did are left out. */
export function outcomeCounts(hosts: readonly { readonly outcome: HostOutcome }[]): [HostOutcome, number][] {
  return HOST_OUTCOMES.map((outcome): [HostOutcome, number] => [
    outcome,
    hosts.filter((host) => host.outcome === outcome).length,
  ]).filter(([, count]) => count > 0);
}

/** The run in one sentence. Pure. */
export function sentenceOf(report: Told, error: { readonly name: string; readonly cause: string } | null): string {
  const counts = outcomeCounts(report.hosts).map(([outcome, count], index) =>
    index === 0
      ? `${count} of ${report.hosts.length} ${count === 1 && report.hosts.length === 1 ? "host" : "hosts"} ${OUTCOME_WORDS[outcome]}`
      : `${count} ${OUTCOME_WORDS[outcome]}`,
  );
  const leftOut = report.leftOut.length === 0 ? [] : [`${report.leftOut.length} left out`];
  const figures =
    counts.length === 0
      ? `no host was eligible${leftOut.length === 0 ? "" : `: ${leftOut[0]}`}`
      : [...counts, ...leftOut].join(", ");
  const told = `${report.dryRun ? "dry run: " : ""}${figures}`;
  // Who failed, and how, follows in every place where this sentence stands.
  const stop = report.waves.flatMap(({ name, verdicts }) =>
    verdicts
      .filter(({ decision }) => decision === "stop")
      .map(({ reason, violation, before }) =>
        before === true
          ? `before ${name}: ${reason}`
          : `after ${name}: ${violation === true ? reason : reason.split(": ")[0]}`,
      ),
  )[0];
  switch (report.outcome) {
    case "succeeded":
    case "partial":
      return `${capital(told)}.`;
    case "stopped":
      return `Stopped ${stop ?? "after a wave"}. ${capital(told)}.`;
    case "failed": {
      const cause = (error?.cause ?? "").slice(0, 300);
      return `The run itself broke (${error?.name ?? "unknown error"}${cause === "" ? "" : `: ${cause}`}). ${capital(told)}.`;
    }
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
