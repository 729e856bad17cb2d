import { setTimeout as delay } from "node:timers/promises";
import { DEFAULT_SENDING, toEnvironment } from "../../contract/environment.ts";
import { DEFAULT_POLICY } from "../../contract/request.ts";
import { DEFAULT_WAVES, RunReport } from "../../contract/run.ts";
import { StatesApiError } from "../../local/states/errors.ts";
import type { InvokeAnswer } from "../../local/states/ports.ts";
import { StateMachines } from "../../local/states/state-machines.ts";
import { definitionOf, type Synthesised } from "../infra/assembly.ts";
import { type FakeHost, FakeHosts } from "./hosts.ts";
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
  readonly wire: Wire;
}

export interface FleetScenario {
  readonly hosts: readonly FakeHost[];
  readonly events?: Events;
  readonly request?: object;
  /** Called before each Lambda; what it throws is the Lambda's error. */
  readonly before?: (name: string, payload: Readonly<Record<string, unknown>>) => void;
}

const DELIVERIES: Readonly<Record<Events, number>> = { once: 1, twice: 2, lost: 0, early: 1 };

/** Milliseconds that every step of every host takes. */
const STEP_LASTS = 40;

/** One for all scenarios: the handlers' clients keep the address that they first saw. */
export const wire = new Wire();

/** Opens the loopback end. @returns closes it */
export async function openWire(): Promise<() => Promise<void>> {
  Object.assign(process.env, environment(await wire.open()));
  return () => wire.close();
}

/** A second of the state machines lasts so many milliseconds here. */
const SECOND = 10;
const PLACE = "eu-west-1:111122223333";
const machineArn = (name: string) => `arn:aws:states:${PLACE}:stateMachine:AutoPatch-${name}`;

/** Runs PatchFleet as synthesised, in the interpreter, with the real handlers on loopback. */
export async function runFleet(stack: Synthesised, scenario: FleetScenario): Promise<FleetRun> {
  wire.reset();
  const events = scenario.events ?? "once";
  const lastsMs = events === "early" ? 0 : STEP_LASTS;
  const hosts = new FakeHosts(scenario.hosts, wire, lastsMs, async (commandId) => {
    const event = { detail: { "command-id": commandId, status: "Success" } };
    for (let count = DELIVERIES[events]; count > 0; count--) await call("on-event", event);
  });
  const published: Record<string, string>[] = [];
  const metrics: unknown[] = [];
  wire.calls.set("Publish", (input) => {
    published.push(input as Record<string, string>);
    return "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
  });
  wire.calls.set("PutMetricData", (input) => void metrics.push(input));
  wire.calls.set("SendTaskSuccess", ({ taskToken, output }) => {
    try {
      machines.sendTaskSuccess({ taskToken: String(taskToken), output: String(output) });
    } catch (error) {
      if (error instanceof StatesApiError) throw new WireError(error.code);
      throw error;
    }
  });

  const machines = new StateMachines(
    {
      clock: { now: () => new Date(), sleep: (ms, signal) => delay((ms / 1000) * SECOND, undefined, { signal }) },
      random: { fraction: () => 0.5, uuid: () => crypto.randomUUID() },
      invoke: async (arn, payload) => {
        const name = arn.slice(arn.lastIndexOf(":") + 1);
        return answerOf(async () => {
          scenario.before?.(name, payload as Record<string, unknown>);
          return call(name, payload);
        });
      },
      sdk: async (_service, _action, args) => ({ Body: wire.objects.get((args as { Key: string }).Key) }),
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
  const { executionArn } = machines.startExecution({
    stateMachineArn: machineArn("PatchFleet"),
    name: "run-1",
    input: JSON.stringify(scenario.request ?? {}),
  });
  const { status, error, cause } = await machines.finished(executionArn);
  await hosts.quiet();
  const report = wire.json("runs/run-1/report.json");
  return {
    status: String(status),
    error,
    cause,
    report: report === null ? undefined : RunReport.parse(report),
    story: hosts.story(),
    published,
    metrics,
    wire,
  };
}

async function call(name: string, payload: unknown): Promise<unknown> {
  const module = (await import(`../../lambdas/handlers/${name === "onevent" ? "on-event" : name}.ts`)) as {
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

function environment(url: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    ...toEnvironment({
      fleet: "default",
      bucket: "bucket",
      topicArn: "arn:aws:sns:eu-west-1:111122223333:topic",
      documentPrefix: "",
      tag: { key: "AutoPatchEnabled", value: "true" },
      waves: { ...DEFAULT_WAVES, steps: [1], errorBudget: 0.5, bakeSeconds: 3 },
      policy: DEFAULT_POLICY,
      sending: DEFAULT_SENDING,
    }),
  };
}
