import { decodeResult } from "../../contract/frame.ts";
import { documentName, KEYS } from "../../contract/names.ts";
import { Snapshot } from "../../contract/run.ts";
import { STEPS, type StepName } from "../../contract/steps.ts";
import type { Cloud } from "../cloud/cloud.ts";
import type { CommandEvent } from "../run-command/service/events.ts";
import type { RunEvent } from "./progress.ts";

export interface Watched {
  readonly executionArn: string;
  readonly runId: string;
  /** Stands before the names of the step documents. */
  readonly documentPrefix: string;
}

/** Tells what a run does as it does it: from the state machine's history and from the commands on the hosts. */
export function watchRun(cloud: Cloud, watched: Watched, tell: (event: RunEvent) => void): void {
  const { executionArn, runId, documentPrefix } = watched;
  const steps = new Map(STEPS.map((step) => [documentPrefix + documentName(step), step]));
  cloud.machines.onHistory((notice) => {
    if (notice.executionArn !== executionArn) return;
    const entered = notice.event.stateEnteredEventDetails as { name?: string } | undefined;
    if (entered?.name !== undefined) tell({ kind: "state", state: entered.name });
    const left = notice.event.stateExitedEventDetails as { name?: string } | undefined;
    if (left?.name === "Plan") void planned(cloud, runId).then((event) => event !== null && tell(event));
  });
  cloud.onCommandEvent((event) => {
    const told = stepEvent(cloud, steps, event);
    if (told !== null) tell(told);
  });
}

async function planned(cloud: Cloud, runId: string): Promise<RunEvent | null> {
  const text = await cloud.readObject(KEYS.snapshot(runId));
  if (text === null) return null;
  const { waves } = Snapshot.parse(JSON.parse(text));
  return { kind: "planned", waves: waves.map(({ name, batches }) => ({ name, hosts: batches.flat() })) };
}

function stepEvent(cloud: Cloud, steps: ReadonlyMap<string, StepName>, event: CommandEvent): RunEvent | null {
  if (event["detail-type"] !== "EC2 Command Invocation Status-change Notification") return null;
  const instanceId = String(event.detail["instance-id"]);
  const step = steps.get(String(event.detail["document-name"]));
  const status = String(event.detail.status);
  if (step === undefined || status === "Pending" || status === "Delayed") return null;
  if (status === "InProgress") return { kind: "stepStarted", instanceId, step };
  const { StandardOutputContent } = cloud.runCommand.getCommandInvocation({
    CommandId: String(event.detail["command-id"]),
    InstanceId: instanceId,
  });
  const decoded = decodeResult(StandardOutputContent);
  if (!decoded.ok) return { kind: "stepEnded", instanceId, step, outcome: status, note: decoded.why };
  return { kind: "stepEnded", instanceId, step, outcome: decoded.result.outcome, note: noteOf(decoded.result) };
}

type Result = Extract<ReturnType<typeof decodeResult>, { ok: true }>["result"];

/** What is worth a few words beside the outcome. */
function noteOf(result: Result): string {
  switch (result.outcome) {
    case "failed":
      return `${result.message.split("\n")[0]}`;
    case "blocked":
    case "rebootRequired":
      return result.reasons.map(({ message }) => message).join("; ");
    case "nothingToDo":
      return result.message;
    case "succeeded": {
      const { packages, identical } = result.data as { packages?: number; identical?: boolean };
      if (identical !== undefined) return identical ? "identical to before" : "DIFFERS from before";
      return packages === undefined ? "" : `${packages} packages`;
    }
  }
}
