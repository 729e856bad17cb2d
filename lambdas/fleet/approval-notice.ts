import type { ApprovalRequest, PlannedChange } from "../../contract/approval.ts";
import { distinctCves } from "../../contract/cve.ts";
import { DECISION_KEYS } from "../../contract/decisions.ts";
import type { Notice } from "./notice.ts";

/** Changes that a message names before it says how many more there are. */
const NAMED = 60;

/** What people are asked: what would change, how it went in the rehearsals, and what to type. Pure. */
export function approvalNotice(
  request: ApprovalRequest,
  where: { readonly decisionsBucket: string; readonly bucket: string; readonly requestKey: string },
): Notice {
  const { changes, fleet, waveName, runId, digest, people } = request;
  const critical = changes.filter((one) => one.critical);
  const cves = distinctCves(changes);
  const { rehearsed, notPossible, tests } = request.rehearsal;
  const put = (decision: "approve" | "reject") =>
    `  echo '{"decision":"${decision}","reason":"…"}' | aws s3 cp - "s3://${where.decisionsBucket}/${DECISION_KEYS.approvals(runId, digest)}$(aws sts get-caller-identity --query UserId --output text).json"`;
  return {
    subject: ascii(
      `AutoPatch ${fleet}: approve ${waveName}? ${changes.length} changes, ${critical.length} critical, ${request.hosts.length} hosts`,
    ),
    body: [
      `Run ${runId} of fleet ${fleet} (${request.environment}) has prepared ${waveName} and waits: ${request.why}.`,
      `Until ${request.expiresAt} ${people === 1 ? "one person" : `${people} different people`} must approve; else it stops. Nothing has been changed on these hosts.`,
      "",
      "To approve, or not, with your own credentials:",
      put("approve"),
      put("reject"),
      "",
      `Plan ${digest}`,
      `Critical: ${critical.length === 0 ? "none" : critical.map(named).join(", ")}`,
      `CVEs fixed: ${cves === null ? "not known" : cves.length === 0 ? "none named" : cves.join(", ")}`,
      `Rehearsed on ${rehearsed} of ${request.hosts.length} hosts, ${tests} configuration tests passed${notPossible > 0 ? `; on ${notPossible} no clone could be had` : ""}`,
      `Reboots: ${REBOOTS[request.reboot]}`,
      ...(request.beyondApproved < changes.length
        ? [`New since the last approval of this run: ${request.beyondApproved} of the changes`]
        : []),
      "",
      ...changes.slice(0, NAMED).map(line),
      ...(changes.length > NAMED ? [`… and ${changes.length - NAMED} more`] : []),
      "",
      `Hosts: ${request.hosts.slice(0, NAMED).join(", ")}${request.hosts.length > NAMED ? ` and ${request.hosts.length - NAMED} more` : ""}`,
      `All of it: s3://${where.bucket}/${where.requestKey}`,
    ].join("\n"),
  };
}

const REBOOTS: Readonly<Record<ApprovalRequest["reboot"], string>> = {
  never: "none; a reboot that is needed is reported",
  whenRequired: "each host that needs one, within its trial",
  asConfiguredOnHosts: "as each host is configured",
};

function line(change: PlannedChange): string {
  const from = change.from.map((one) => one ?? "new").join(" or ");
  const marks = [change.critical ? "critical" : "", change.security ? "security" : ""].filter(Boolean).join(", ");
  const hosts = `${change.hosts} ${change.hosts === 1 ? "host" : "hosts"}`;
  return `  ${named(change)} ${from} -> ${change.to ?? "removed"} (${[marks, hosts].filter(Boolean).join("; ")})`;
}

function named({ name, architecture }: PlannedChange): string {
  return `${name}:${architecture}`;
}

function ascii(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]+/g, "?");
  return plain.length <= 100 ? plain : `${plain.slice(0, 97)}...`;
}
