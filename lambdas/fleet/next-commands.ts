import { MOST_ORDERED, operationDocument } from "../../contract/operations.ts";
import type { HostReport, RunReport } from "../../contract/run.ts";

/** What commands need to name. */
export interface CommandPlace {
  readonly region: string;
  readonly bucket: string;
  /** Key of the report's page. */
  readonly reportPage: string;
  /** Stands before the names of the stack's documents. */
  readonly documentPrefix: string;
  /** The state machine that runs are started by; null where nobody said. */
  readonly patchFleetArn: string | null;
}

export interface NextCommand {
  readonly what: string;
  /** One line for a shell with the aws command. Ids, names and ARNs alone stand in it, none of which holds a blank or a quote. */
  readonly command: string;
}

/** What to type after a run: read its report, look at hosts in doubt, go on with those that did not get through. Pure. */
export function nextCommands(report: RunReport, place: CommandPlace): NextCommand[] {
  const { region, bucket, reportPage } = place;
  const page = reportPage.split("/").at(-1) ?? "";
  const inDoubt = idsOf(report, ({ outcome }) => outcome === "inDoubt");
  const behind = idsOf(report, ({ outcome }) => outcome !== "committed" && outcome !== "nothingToDo");
  return [
    { what: "the report", command: `aws s3 cp s3://${bucket}/${reportPage} ${page} --region ${region}` },
    ...lookAt(inDoubt, place),
    ...again(report, behind, place),
  ];
}

function lookAt(ids: readonly string[], { region, documentPrefix }: CommandPlace): NextCommand[] {
  if (ids.length === 0) return [];
  const document = `${documentPrefix}${operationDocument("show-status")}`;
  const some = ids.slice(0, MOST_ORDERED);
  return [
    {
      what: `where ${ids.length === 1 ? "the host" : "hosts"} in doubt ${ids.length === 1 ? "stands" : "stand"}${some.length < ids.length ? `, the first ${some.length}` : ""}`,
      command: `aws ssm send-command --document-name ${document} --instance-ids ${some.join(" ")} --region ${region}`,
    },
    { what: "and on the host itself", command: `aws ssm start-session --target ${some[0]} --region ${region}` },
  ];
}

function again(report: RunReport, ids: readonly string[], { region, patchFleetArn }: CommandPlace): NextCommand[] {
  const { hosts, dryRun } = report;
  if (patchFleetArn === null || (ids.length === 0 && hosts.length > 0)) return [];
  const start = (input: object) =>
    `aws stepfunctions start-execution --state-machine-arn ${patchFleetArn} --input '${JSON.stringify(input)}' --region ${region}`;
  // What it was asked for is not known here: nothing is suggested that changes a host.
  if (hosts.length === 0)
    return [{ what: "once the reason is mended, first a dry run over the fleet", command: start({ dryRun: true }) }];
  if (!dryRun && UNFINISHED.has(report.outcome))
    return [
      { what: "once the reason is mended, go on with what is left of it", command: start({ resume: report.runId }) },
    ];
  const which = dryRun ? "in earnest" : "once they are mended";
  if (ids.length > MOST_NAMED)
    return [{ what: `${which}, the whole fleet: hosts that are up to date have nothing to do`, command: start({}) }];
  return [{ what: `${which}, those hosts${dryRun ? "" : " again"}`, command: start({ instanceIds: ids }) }];
}

/** Runs that others can go on with. */
const UNFINISHED: ReadonlySet<RunReport["outcome"]> = new Set<RunReport["outcome"]>(["stopped", "failed"]);
/** Ids that a command names. */
const MOST_NAMED = 100;

function idsOf({ hosts }: RunReport, wanted: (host: HostReport) => boolean): string[] {
  return hosts.filter(wanted).map(({ instanceId }) => instanceId);
}
