import { PutComplianceItemsCommand, SSMClient } from "@aws-sdk/client-ssm";
import { COMPLIANCE_TYPE } from "../../contract/names.ts";
import type { HostCompliance } from "../fleet/compliance.ts";

/**
 * Calls under way at the same time: few, since AWS publishes no rate for them and whoever is throttled stays untold. The client slows down by
 * itself beside that.
 */
const AT_ONCE = 3;
const ATTEMPTS = 8;
/** An attempt has a deadline of its own: what was begun within the time given does not outlast the function. */
const ATTEMPT_MS = 5_000;

export interface ComplianceRun {
  readonly runId: string;
  readonly at: Date;
}

/** Until when calls are begun; hosts that are left then stay untold. Milliseconds since 1970. */
export interface Until {
  readonly ms: number;
  clock(): number;
}

export interface ComplianceTold {
  readonly told: readonly HostCompliance[];
  readonly untold: readonly { readonly instanceId: string; readonly why: string }[];
}

/** Systems Manager's compliance. */
export class Compliance {
  readonly #ssm = new SSMClient({
    retryMode: "adaptive",
    maxAttempts: ATTEMPTS,
    requestHandler: { requestTimeout: ATTEMPT_MS, connectionTimeout: ATTEMPT_MS },
  });

  /** Tells of each host with a call of its own; the API knows no other. Never throws: a host that cannot be told of is named with the reason. */
  async put(hosts: readonly HostCompliance[], run: ComplianceRun, until: Until): Promise<ComplianceTold> {
    const told: HostCompliance[] = [];
    const untold: { instanceId: string; why: string }[] = [];
    let next = 0;
    const work = async () => {
      for (let host = hosts[next++]; host !== undefined; host = hosts[next++]) {
        const why = until.clock() > until.ms ? "no time was left" : await this.#putOne(host, run);
        if (why === null) told.push(host);
        else untold.push({ instanceId: host.instanceId, why });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return { told, untold };
  }

  /** @returns why it could not be done; null when it was */
  async #putOne({ instanceId, items, hash }: HostCompliance, { runId, at }: ComplianceRun): Promise<string | null> {
    try {
      await this.#ssm.send(
        new PutComplianceItemsCommand({
          ResourceId: instanceId,
          ResourceType: "ManagedInstance",
          ComplianceType: COMPLIANCE_TYPE,
          ExecutionSummary: { ExecutionTime: at, ExecutionId: runId, ExecutionType: "Command" },
          ItemContentHash: hash,
          Items: items.map(({ id, title, severity, status, details }) => ({
            Id: id,
            Title: title,
            Severity: severity,
            Status: status,
            Details: { ...details },
          })),
        }),
      );
      return null;
    } catch (error) {
      const { name, message } = error as Error;
      return `${name}: ${message}`;
    }
  }
}
