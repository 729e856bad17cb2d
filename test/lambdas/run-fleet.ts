import { setTimeout as delay } from "node:timers/promises";
import { DEFAULT_SENDING, type FleetSettings, toEnvironment } from "../../contract/environment.ts";
import { DEFAULT_APPROVAL, DEFAULT_GATES } from "../../contract/gates.ts";
import { DEFAULT_POLICY } from "../../contract/request.ts";
import { DEFAULT_WAVES, RunReport } from "../../contract/run.ts";
import { FLEET_FUNCTIONS } from "../../infra/constructs/fleet-functions.ts";
import { StatesApiError } from "../../local/states/errors.ts";
import type { InvokeAnswer } from "../../local/states/ports.ts";
import { StateMachines } from "../../local/states/state-machines.ts";
import { definitionOf, type Synthesised } from "../infra/assembly.ts";
import { type FakeHost, FakeHosts } from "./hosts.ts";
import { Reached } from "./reached.ts";
import { Wire, WireError } from "./wire.ts";

/** What becomes of the events that say that a command has ended. */
export type Events = "once" | "twice" | "lost" | "early";

export interface FleetRun {
  readonly status: string;
  readonly error: string | undefined;
  readonly cause: string | undefined;
  readonly report: RunReport | undefined;
  /** Steps in the order they were sent, each with the last digit of its hosts. */
  readonly story: readonly string[];
  readonly published: readonly Readonly<Record<string, string>>[];
  readonly metrics: readonly unknown[];
  /** State transitions of each PatchBatch execution, by its name. */
  readonly transitions: Readonly<Record<string, number>>;
  /** Ways between states that the executions of each machine took. */
  readonly reached: Reached;
  readonly wire: Wire;
}

/** What an operator can do while a run goes on. */
export interface Operator {
  /** Writes an object into the bucket of decisions; `told` delivers its event. */
  decide(key: string, text: string, told?: boolean): Promise<void>;
}

export interface FleetScenario {
  readonly hosts: readonly FakeHost[];
  readonly events?: Events;
  readonly request?: object;
  /** Called before each Lambda; what it throws is the Lambda's error. */
  /** Called when PatchFleet enters a state. */
  readonly entered?: (state: string, operator: Operator) => void | Promise<void>;
  /** @default a run of its own: everything that earlier ones left is forgotten */
  readonly after?: "an earlier run";
  /** @default run-1 */
  readonly name?: string;
  /** Environment variables of the Lambdas, over what the stack sets by default. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Objects that lie there already. */
  readonly objects?: Readonly<Record<string, unknown>>;
  readonly before?: (name: string, payload: Readonly<Record<string, unknown>>) => void;
  /** Milliseconds that a second of the state machines lasts. @default 10 */
  readonly secondMs?: number;
  /** What EC2 answers the state machines, by action. What it throws is EC2's error. */
  readonly ec2?: (action: string, args: Readonly<Record<string, unknown>>) => unknown;
  /** Called when everything stands, before the run begins: what a service refuses, and when. */
  readonly arrange?: (wire: Wire) => void;
}

const DELIVERIES: Readonly<Record<Events, number>> = { once: 1, twice: 2, lost: 0, early: 1 };

/** Milliseconds that every step of every host takes. */
const STEP_LASTS = 40;

/** One for all scenarios: the handlers' clients keep the address that they first saw. */
export const wire = new Wire();

/**
 * Opens the loopback end.
 * @param attempts how often the SDK's clients try a call before the state machine does: their pauses last as long as anywhere, while a
 *   second of the state machine is over in no time. @default the SDK's own
 * @returns closes it
 */
export async function openWire(attempts?: number): Promise<() => Promise<void>> {
  Object.assign(process.env, environment(await wire.open()));
  if (attempts !== undefined) process.env.AWS_MAX_ATTEMPTS = String(attempts);
  // A second lasts a few milliseconds here: the first call of a handler must not take many of them to load.
  await Promise.all(FLEET_FUNCTIONS.map((name) => import(`../../lambdas/handlers/${name}.ts`)));
  return () => wire.close();
}

/** As most scenarios have it. */
const SECOND_MS = 10;
const PLACE = "eu-west-1:111122223333";
export const FLEET_LOCK_KEY = `arn:aws:kms:${PLACE}:key/00000000-0000-4000-8000-000000000000`;
const machineArn = (name: string) => `arn:aws:states:${PLACE}:stateMachine:AutoPatch-${name}`;

/** Runs PatchFleet as synthesised, in the interpreter, with the real handlers on loopback. */
export async function runFleet(stack: Synthesised, scenario: FleetScenario): Promise<FleetRun> {
  if (scenario.after === undefined) wire.reset();
  for (const [key, value] of Object.entries(scenario.objects ?? {})) wire.objects.set(key, JSON.stringify(value));
  const name = scenario.name ?? "run-1";
  const restore = { ...process.env };
  Object.assign(process.env, scenario.settings);
  const { events = "once", secondMs = SECOND_MS } = scenario;
  const lastsMs = events === "early" ? 0 : STEP_LASTS;
  const hosts = new FakeHosts(scenario.hosts, wire, lastsMs, async (commandId) => {
    const event = { detail: { "command-id": commandId, status: "Success" } };
    for (let count = DELIVERIES[events]; count > 0; count--) await deliver(event);
  });
  const published: Record<string, string>[] = [];
  const metrics: unknown[] = [];
  wire.calls.set("Publish", (input) => {
    published.push(input as Record<string, string>);
    return "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
  });
  wire.calls.set("PutMetricData", (input) => void metrics.push(input));
  wire.calls.set("PutComplianceItems", () => ({}));
  wire.calls.set("SendTaskSuccess", ({ taskToken, output }) => {
    try {
      machines.sendTaskSuccess({ taskToken: String(taskToken), output: String(output) });
    } catch (error) {
      if (error instanceof StatesApiError) throw new WireError(error.code);
      throw error;
    }
  });

  const operator: Operator = {
    decide: async (key, text, told = true) => {
      wire.objects.set(key, text);
      if (told) await call("on-decision", { detail: { bucket: { name: "decisions" }, object: { key } } });
    },
  };
  const machines = new StateMachines(
    {
      clock: { now: () => new Date(), sleep: (ms, signal) => delay((ms / 1000) * secondMs, undefined, { signal }) },
      random: { fraction: () => 0.5, uuid: () => crypto.randomUUID() },
      invoke: async (arn, payload) => {
        const name = arn.slice(arn.lastIndexOf(":") + 1);
        return answerOf(async () => {
          scenario.before?.(name, payload as Record<string, unknown>);
          return call(name, payload);
        });
      },
      sdk: async (service, action, args) => {
        if (service === "s3") return { Body: wire.objects.get((args as { Key: string }).Key) };
        if (scenario.ec2 === undefined) throw new Error(`nobody answers ${service}:${action} here`);
        return scenario.ec2(action, args as Record<string, unknown>);
      },
    },
    { region: "eu-west-1" },
  );
  for (const [, resource] of stack.ofType("AWS::StepFunctions::StateMachine")) {
    const name = String(resource.Properties.StateMachineName);
    const definition = located(JSON.stringify(definitionOf(resource)));
    machines.register({
      name,
      arn: `arn:aws:states:${PLACE}:stateMachine:${name}`,
      roleArn: "arn:aws:iam::111122223333:role/r",
      definition,
    });
  }
  const reached = new Reached();
  machines.onHistory((notice) => reached.note(notice));
  scenario.arrange?.(wire);
  machines.onHistory(({ stateMachineArn, event }) => {
    const state = (event.stateEnteredEventDetails as { name?: string } | undefined)?.name;
    if (state !== undefined && stateMachineArn.endsWith("PatchFleet")) void scenario.entered?.(state, operator);
  });
  const { executionArn } = machines.startExecution({
    stateMachineArn: machineArn("PatchFleet"),
    name,
    input: JSON.stringify(scenario.request ?? {}),
  });
  const { status, error, cause } = await machines.finished(executionArn);
  await hosts.quiet();
  for (const key of Object.keys(scenario.settings ?? {})) process.env[key] = restore[key];
  const report = wire.json(`runs/${name}/report.json`);
  return {
    status: String(status),
    error,
    cause,
    report: report === null ? undefined : RunReport.parse(report),
    story: hosts.story(),
    published,
    metrics,
    transitions: Object.fromEntries(
      machines
        .listExecutions({ stateMachineArn: machineArn("PatchBatch") })
        .executions.map(({ name = "", executionArn = "" }) => [name, machines.transitions(executionArn)]),
    ),
    reached,
    wire,
  };
}

/** As Lambda takes an event: one that cannot be handled is tried twice more, then it is a dead letter. */
async function deliver(event: unknown): Promise<void> {
  for (let tries = 3; tries > 0; tries--) {
    const answer = await answerOf(() => call("on-event", event));
    if (!("functionError" in answer)) return;
  }
}

async function call(name: string, payload: unknown): Promise<unknown> {
  const file = FLEET_FUNCTIONS.find((one) => one.replaceAll("-", "") === name.replaceAll("-", ""));
  const module = (await import(`../../lambdas/handlers/${file}.ts`)) as {
    handler(event: unknown): Promise<unknown>;
  };
  return module.handler(payload);
}

async function answerOf(work: () => Promise<unknown>): Promise<InvokeAnswer> {
  try {
    return { payload: await work() };
  } catch (error) {
    const { name, message } = error as Error;
    return { functionError: { errorType: name, errorMessage: message } };
  }
}

/** References of the template as ARNs of this place. */
function located(definition: string): string {
  return definition
    .replace(/\$\{Functions([a-z]+)[0-9A-F]{8}\}/g, (_all, name: string) => `arn:aws:lambda:${PLACE}:function:${name}`)
    .replace(/\$\{WorkflowsPatchBatch\w+\}/g, machineArn("PatchBatch"))
    .replace(/\$\{DataBucket\w+\}/g, "bucket");
}

/** What the Lambdas of these tests are set to. */
export const SETTINGS: FleetSettings = {
  fleet: "default",
  bucket: "bucket",
  topicArn: "arn:aws:sns:eu-west-1:111122223333:topic",
  documentPrefix: "",
  tag: { key: "AutoPatchEnabled", value: "true" },
  waves: { ...DEFAULT_WAVES, steps: [1], errorBudget: 0.5, bakeSeconds: 3 },
  policy: DEFAULT_POLICY,
  sending: DEFAULT_SENDING,
  fleetLock: { keyArn: FLEET_LOCK_KEY, validDays: 45 },
  environment: "dev",
  gates: DEFAULT_GATES,
  approval: DEFAULT_APPROVAL,
  decisionsBucket: "decisions",
  batchesAtOnce: 20,
  waitSliceSeconds: 60,
  restoreSeconds: 0,
};

function environment(url: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    ...toEnvironment(SETTINGS),
  };
}
