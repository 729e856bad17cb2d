import type { RunReport } from "../../contract/run.ts";
import type { Deployment } from "../cloud/deployment.ts";
import { EventBus } from "../cloud/event-bus.ts";
import { SdkError } from "../states/errors.ts";
import { StateMachines } from "../states/state-machines.ts";
import { SimulatedAccount } from "./account.ts";
import { type CloudFaults, NO_FAULTS } from "./faults.ts";
import { SimulatedFunctions } from "./functions.ts";
import type { SimulatedHost } from "./host.ts";
import { DEFAULT_QUOTAS, type Quotas, TokenBucket } from "./quotas.ts";
import { sequence, uuidFrom } from "./random.ts";
import { type HostWork, SimulatedRunCommand } from "./run-command.ts";
import { Tally } from "./tally.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface FleetRunOptions {
  readonly deployment: Deployment;
  readonly hosts: readonly SimulatedHost[];
  readonly seed: number;
  /** Input of PatchFleet. @default {} */
  readonly request?: object;
  /** @default none */
  readonly faults?: CloudFaults;
  /** @default AWS's */
  readonly quotas?: Quotas;
  /** What lies in the bucket already, by key. @default nothing */
  readonly objects?: Readonly<Record<string, unknown>>;
}

/** A run as it went, in virtual time. */
export interface FleetRun {
  readonly status: string;
  readonly error: string | undefined;
  readonly cause: string | undefined;
  /** As the report Lambda wrote it; undefined when it never did. */
  readonly report: RunReport | undefined;
  /** Seconds from the start of the run to its end. */
  readonly seconds: number;
  /** Milliseconds since 1970 at which everything had come to rest, late events included. */
  readonly endedAtMs: number;
  readonly tally: Tally;
  readonly work: readonly HostWork[];
  readonly unfinished: readonly string[];
  readonly published: readonly { readonly Subject?: string; readonly Message: string }[];
}

const RUN = "simulated";

/** Runs PatchFleet as synthesised, with the real handlers, over simulated hosts. @throws Error when somebody waits for ever */
export async function runFleet(options: FleetRunOptions): Promise<FleetRun> {
  const { deployment, seed, faults = NO_FAULTS, quotas = DEFAULT_QUOTAS } = options;
  const clock = new VirtualClock();
  const tally = new Tally();
  const fraction = sequence(seed);
  const hosts = new Map(options.hosts.map((host) => [host.instanceId, host]));
  const work: HostWork[] = [];
  const newId = () => uuidFrom(fraction);

  const runCommand = new SimulatedRunCommand({
    clock,
    hosts,
    newId,
    worked: (one) => void work.push(one),
    changed: ({ id, document, status }) => {
      const event = commandEvent(id, document, status);
      const times = status === "InProgress" ? [faults.early()].filter((ms) => ms !== null) : faults.deliveries();
      // An early one claims the end that has not come yet.
      const told = status === "InProgress" ? commandEvent(id, document, "Success") : event;
      for (const ms of times) void tell(told, ms);
    },
  });
  const account = new SimulatedAccount({
    clock,
    quotas,
    faults,
    tally,
    hosts,
    fraction,
    runCommand,
    signingKeyArns: deployment.signingKeyArns,
    machines: () => machines,
  });
  for (const [Key, value] of Object.entries(options.objects ?? {}))
    account.bucket.put({ Key, Body: JSON.stringify(value) });
  const functions = await SimulatedFunctions.load(deployment.functions, {
    clock,
    quotas,
    faults,
    tally,
    call: (service, operation, input) => account.call(service, operation, input),
  });
  const bus = new EventBus(deployment.rules, {
    deliver: async (arn, event) => ({ ok: await functions.invokeLater(arn, event), why: "it failed three times" }),
    deadLetter: () => undefined,
    sleep: (ms) => clock.sleep(ms),
  });
  const tell = async (event: ReturnType<typeof commandEvent>, afterMs: number) => {
    if (afterMs > 0) await clock.sleep(afterMs);
    await bus.put(event);
  };
  const transitions = new TokenBucket(quotas.transitions);
  const children = new TokenBucket(quotas.mapChildren);
  const wait = async (bucket: TokenBucket, name: string) => {
    const ms = bucket.queue(clock.millis);
    if (ms === 0) return;
    tally.count(tally.throttles, name);
    await clock.sleep(ms);
  };
  const machines: StateMachines = new StateMachines(
    {
      clock,
      random: { fraction, uuid: newId },
      invoke: (arn, payload) => functions.invoke(arn, payload),
      sdk: async (service, action, args) => {
        if (service !== "s3" || action !== "getObject")
          throw new Error(`the simulated account does not know ${service}:${action}`);
        tally.count(tally.calls, "S3.GetObject");
        return bodyOf(account, (args as { Key: string }).Key);
      },
      pace: {
        transition: () => wait(transitions, "SFN.StateTransition"),
        child: () => wait(children, "SFN.MapChild"),
      },
    },
    { region: deployment.place.region, keepsHistories: false },
  );
  const running = new Set<string>();
  machines.onHistory(({ executionArn, event }) => {
    tally.logBytes += logBytes(event);
    if (event.type === "ExecutionStarted") running.add(executionArn);
    if (!ENDS.has(event.type)) return;
    running.delete(executionArn);
    tally.executions++;
    tally.transitions += machines.transitions(executionArn);
  });
  for (const machine of deployment.machines) machines.register(machine);

  const began = clock.millis;
  const stateMachineArn = machineArn(deployment);
  const { executionArn } = machines.startExecution({
    stateMachineArn,
    name: RUN,
    input: JSON.stringify(options.request ?? {}),
  });
  const { status, error, cause } = await clock.until(machines.finished(executionArn));
  const seconds = (clock.millis - began) / 1000;
  await clock.drain();
  for (const host of hosts.values()) for (const count of host.executions.values()) tally.hostSteps += count;
  const text = account.bucket.text(`runs/${RUN}/report.json`);
  return {
    status: String(status),
    error,
    cause,
    report: text === undefined ? undefined : (JSON.parse(text) as RunReport),
    seconds,
    endedAtMs: clock.millis,
    tally,
    work,
    unfinished: [...running],
    published: account.published,
  };

  function commandEvent(id: string, document: string, status: string) {
    const { account: number, region } = deployment.place;
    return {
      id: newId(),
      source: "aws.ssm",
      "detail-type": "EC2 Command Status-change Notification",
      account: number,
      region,
      time: clock.now().toISOString(),
      resources: [],
      detail: { "command-id": id, "document-name": document, status },
    };
  }
}

const ENDS: ReadonlySet<string> = new Set([
  "ExecutionSucceeded",
  "ExecutionFailed",
  "ExecutionTimedOut",
  "ExecutionAborted",
]);

/** The machine that a run is, by the end of its name. @throws Error when the template has none */
function machineArn({ machines }: Deployment): string {
  const found = machines.find(({ name }) => name.endsWith("-PatchFleet"));
  if (found === undefined) throw new Error("the synthesised stack has no state machine PatchFleet");
  return found.arn;
}

function bodyOf(account: SimulatedAccount, key: string) {
  const text = account.bucket.text(key);
  if (text === undefined) throw new SdkError("NoSuchKey", `The specified key does not exist: ${key}`);
  return { Body: text };
}

/** About what an event of the history is as a line of CloudWatch Logs: its texts, and what stands around them. */
function logBytes(event: Readonly<Record<string, unknown>>): number {
  return JSON.stringify(event).length + LOG_ENVELOPE;
}
/** Execution ARN, redrive count and the ingestion's own 26 bytes a line. */
const LOG_ENVELOPE = 200;
