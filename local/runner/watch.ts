import { decodeResult } from "../../contract/frame.ts";
import { documentName, KEYS } from "../../contract/names.ts";
import { Snapshot } from "../../contract/run.ts";
import { COMMANDS, CommandName, type StepName } from "../../contract/steps.ts";
import type { Cloud } from "../cloud/cloud.ts";
import type { CommandEvent } from "../run-command/service/events.ts";
import type { SeenStep } from "../run-command/service/run-command.ts";
import type { RunEvent } from "./progress.ts";

export interface Watched {
  readonly executionArn: string;
  readonly runId: string;
}

/** Tells what a run does as it does it, from its state machine's history. */
export function watchRun(cloud: Cloud, { executionArn, runId }: Watched, tell: (event: RunEvent) => void): void {
  cloud.machines.onHistory((notice) => {
    if (notice.executionArn !== executionArn) return;
    const entered = notice.event.stateEnteredEventDetails as { name?: string } | undefined;
    if (entered?.name !== undefined) tell({ kind: "state", state: entered.name });
    const left = notice.event.stateExitedEventDetails as { name?: string } | undefined;
    if (left?.name === "Plan") void planned(cloud, runId).then((event) => event !== null && tell(event));
  });
}

/** Tells what commands do on the hosts, of whatever run. @param documentPrefix stands before the names of the commands' documents */
export function watchHosts(cloud: Cloud, documentPrefix: string, tell: (event: RunEvent) => void): void {
  const commands = new Map(CommandName.options.map((command) => [documentPrefix + documentName(command), command]));
  cloud.onCommandEvent((event) => {
    const told = hostEvent(commands, event);
    if (told !== null) tell(told);
  });
  cloud.onStep((seen) => {
    for (const told of stepEvents(commands, seen)) tell(told);
  });
}

async function planned(cloud: Cloud, runId: string): Promise<RunEvent | null> {
  const text = await cloud.readObject(KEYS.snapshot(runId));
  if (text === null) return null;
  const { waves } = Snapshot.parse(JSON.parse(text));
  return { kind: "planned", waves: waves.map(({ name, batches }) => ({ name, hosts: batches.flat() })) };
}

/** A host begins a command, or never gets it. */
function hostEvent(commands: ReadonlyMap<string, CommandName>, { detail, ...event }: CommandEvent): RunEvent | null {
  if (event["detail-type"] !== "EC2 Command Invocation Status-change Notification") return null;
  const instanceId = String(detail["instance-id"]);
  const command = commands.get(String(detail["document-name"]));
  if (command === undefined) return null;
  const step = COMMANDS[command][0];
  const status = String(detail.status);
  if (status === "InProgress") return { kind: "stepStarted", instanceId, step };
  const never = ["Undeliverable", "DeliveryTimedOut", "Terminated", "Cancelled"].includes(status);
  return never ? { kind: "stepEnded", instanceId, step, outcome: status, note: "" } : null;
}

/** A step has ended, and the next begins when it passed. One that was not reached prints nothing. */
function stepEvents(commands: ReadonlyMap<string, CommandName>, seen: SeenStep): RunEvent[] {
  const { instanceId } = seen;
  const command = commands.get(seen.documentName);
  const steps: readonly StepName[] = command === undefined ? [] : COMMANDS[command];
  const step = steps.find((one) => one === seen.step.name);
  if (step === undefined || (seen.step.stdout === "" && seen.step.status === "Success")) return [];
  const decoded = decodeResult(seen.step.stdout ?? "");
  if (!decoded.ok) return [{ kind: "stepEnded", instanceId, step, outcome: seen.step.status, note: decoded.why }];
  const { outcome } = decoded.result;
  const ended = { kind: "stepEnded", instanceId, step, outcome, note: noteOf(decoded.result) } as const;
  const next = steps[steps.indexOf(step) + 1];
  const goesOn = next !== undefined && (outcome === "succeeded" || outcome === "rebootRequired");
  return goesOn ? [ended, { kind: "stepStarted", instanceId, step: next }] : [ended];
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
