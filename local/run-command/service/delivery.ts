import { NotModelled } from "../document/document.ts";
import { type DocumentResult, runDocument, type StepResult } from "../document/run-document.ts";
import type { CommandRecord, Invocation } from "./record.ts";
import { countsAsError, hasEnded, type InvocationDetail } from "./statuses.ts";

/** Time, so that a test drives it. `sleep` resolves or rejects early once the signal is aborted. */
export interface Clock {
  now(): Date;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface DeliveryPorts {
  readonly clock: Clock;
  /** Notes and announces what became of an invocation. */
  changed(invocation: Invocation, detail: InvocationDetail): void;
  /** A step has ended on a host. */
  stepEnded(invocation: Invocation, step: StepResult): void;
  log(line: string): void;
}

/** How often the service tries a node whose agent does not answer. */
const RETRY_MS = 1000;
/** The agent's own time-outs come first; the service waits this much longer for the answer. */
const ANSWER_GRACE_MS = 5000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Hands a command to its nodes, never more than `concurrency` at once, and stops when too many have failed. Resolves when all have ended. */
export async function deliver(command: CommandRecord, ports: DeliveryPorts): Promise<void> {
  const { concurrency, allowedErrors } = command.accepted;
  const waiting = [...command.invocations];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (hasEnded(next.detail)) continue;
      const errors = command.invocations.filter((one) => countsAsError(one.detail)).length;
      if (errors > allowedErrors) ports.changed(next, "Terminated");
      else await invoke(command, next, ports);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

async function invoke(command: CommandRecord, invocation: Invocation, ports: DeliveryPorts): Promise<void> {
  const { clock } = ports;
  const deliverUntil = command.requestedAt.getTime() + command.accepted.timeoutSeconds * 1000;
  const { signal } = invocation.cancel;
  while (invocation.node.state() !== "online") {
    if (invocation.node.state() === "undeliverable") return ports.changed(invocation, "Undeliverable");
    if (clock.now().getTime() >= deliverUntil) return ports.changed(invocation, "DeliveryTimedOut");
    if (invocation.detail !== "Delayed") ports.changed(invocation, "Delayed");
    await pause(clock, RETRY_MS, signal);
    if (hasEnded(invocation.detail)) return;
  }
  ports.changed(invocation, "InProgress");
  const answered = new AbortController();
  const watch = expiry(command, clock, { cancelled: signal, answered: answered.signal });
  const answer = await Promise.race([answerOf(command, invocation, ports), watch]);
  answered.abort();
  if (answer === "expired") {
    ports.changed(invocation, signal.aborted ? "Cancelled" : "DeliveryTimedOut");
    invocation.cancel.abort();
    return;
  }
  invocation.steps = [...answer.steps];
  invocation.trace = answer.trace;
  ports.changed(invocation, answer.status === "TimedOut" ? "ExecutionTimedOut" : answer.status);
}

/** What the agent answers. One that will never say anything more does not resolve: the command's expiry ends it. */
async function answerOf(
  command: CommandRecord,
  invocation: Invocation,
  { clock, log, stepEnded }: DeliveryPorts,
): Promise<DocumentResult> {
  const { document, request } = command.accepted;
  const { instanceId } = invocation.node;
  try {
    const result = await runDocument({
      document: JSON.parse(document.content),
      parameters: request.Parameters ?? {},
      commandId: command.id,
      host: invocation.node.host,
      now: () => clock.now(),
      signal: invocation.cancel.signal,
      onStep: (step) => {
        invocation.steps = [...invocation.steps, step];
        stepEnded(invocation, step);
      },
    });
    if (result.status !== "InProgress") return result;
    log(`${command.id} ${instanceId}: given up after too many reboots`);
  } catch (error) {
    if (error instanceof NotModelled) return { status: "Failed", steps: [], trace: error.message };
    log(`${command.id} ${instanceId}: the agent is gone: ${error instanceof Error ? error.message : String(error)}`);
  }
  return new Promise(() => {});
}

async function expiry(
  command: CommandRecord,
  clock: Clock,
  { cancelled, answered }: { readonly cancelled: AbortSignal; readonly answered: AbortSignal },
): Promise<"expired"> {
  const end = command.expiresAfter.getTime() + ANSWER_GRACE_MS;
  const either = AbortSignal.any([cancelled, answered]);
  while (clock.now().getTime() < end && !either.aborted) {
    await pause(clock, Math.min(end - clock.now().getTime(), LONGEST_TIMER_MS), either);
  }
  // A cancelled script is killed at once: its answer is waited for, but not for ever.
  if (cancelled.aborted) await pause(clock, ANSWER_GRACE_MS, answered);
  return "expired";
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
