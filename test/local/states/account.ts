import type { DescribeExecutionOutput } from "@aws-sdk/client-sfn";
import { SdkError } from "../../../local/states/errors.ts";
import type { HistoryEvent } from "../../../local/states/history.ts";
import type { InvokeAnswer, StatesPorts } from "../../../local/states/ports.ts";
import { StateMachines } from "../../../local/states/state-machines.ts";
import { VirtualClock } from "./virtual-clock.ts";

export const REGION = "eu-west-1";
export const ROLE = "arn:aws:iam::111122223333:role/states";
export const arnOf = (name: string) => `arn:aws:states:${REGION}:111122223333:stateMachine:${name}`;
export const functionArn = (name: string) => `arn:aws:lambda:${REGION}:111122223333:function:${name}`;

type Handler = (payload: never, signal: AbortSignal) => unknown;
type SdkHandler = (args: never) => unknown;

/** A handler's thrown error becomes the error document its runtime would send. */
export class HandlerError extends Error {}

/** An account with functions, SDK calls and a bucket in memory, on virtual time and countable randomness. */
export class Account {
  readonly clock = new VirtualClock();
  readonly functions = new Map<string, Handler>();
  readonly calls = new Map<string, SdkHandler>();
  readonly objects = new Map<string, string>();
  readonly machines: StateMachines;
  fraction = 0.5;
  private uuids = 0;

  constructor() {
    const ports: StatesPorts = {
      clock: this.clock,
      random: { fraction: () => this.fraction, uuid: () => `uuid-${++this.uuids}` },
      invoke: (arn, payload, signal) => this.invoke(arn, payload, signal),
      sdk: (service, action, args) => this.sdk(service, action, args),
    };
    this.machines = new StateMachines(ports, { region: REGION });
  }

  /** Registers a definition and gives its ARN. */
  register(name: string, definition: object): string {
    const registration = { name, arn: arnOf(name), roleArn: ROLE, definition: JSON.stringify(definition) };
    this.machines.register(registration);
    return registration.arn;
  }

  /** Registers `states` as a machine and runs it to its end. */
  async run(states: object, input: unknown = {}, more: object = {}): Promise<DescribeExecutionOutput> {
    const startAt = Object.keys(states)[0];
    const arn = this.register("Machine", { QueryLanguage: "JSONata", StartAt: startAt, States: states, ...more });
    const request = { stateMachineArn: arn, name: "one", input: JSON.stringify(input) };
    const { executionArn } = this.machines.startExecution(request);
    return this.clock.until(this.machines.finished(executionArn));
  }

  /** The only execution's output, parsed; fails with its error when it did not succeed. */
  async output(states: object, input: unknown = {}, more: object = {}): Promise<unknown> {
    const done = await this.run(states, input, more);
    if (done.status !== "SUCCEEDED") throw new Error(`${done.status} ${done.error}: ${done.cause}`);
    return JSON.parse(done.output ?? "null");
  }

  history(executionArn = `${arnOf("Machine").replace("stateMachine", "execution")}:one`): HistoryEvent[] {
    return this.machines.getExecutionHistory({ executionArn, maxResults: 1000 }).events;
  }

  private async invoke(arn: string, payload: unknown, signal: AbortSignal): Promise<InvokeAnswer> {
    const handler = this.functions.get(arn.split(":").at(-1) ?? "");
    if (handler === undefined) throw new SdkError("ResourceNotFoundException", `Function not found: ${arn}`);
    try {
      return { payload: await handler(payload as never, signal) };
    } catch (error) {
      if (!(error instanceof HandlerError)) throw error;
      return { functionError: { errorType: error.name, errorMessage: error.message, trace: [] } };
    }
  }

  private async sdk(service: string, action: string, args: unknown): Promise<unknown> {
    const handler = this.calls.get(`${service}:${action}`);
    if (handler !== undefined) return handler(args as never);
    const { Bucket, Key, Body } = args as { Bucket: string; Key: string; Body?: string };
    if (service !== "s3") throw new Error(`no ${service}:${action} here`);
    if (action === "putObject") {
      this.objects.set(`${Bucket}/${Key}`, String(Body));
      return {};
    }
    const found = this.objects.get(`${Bucket}/${Key}`);
    if (found === undefined) throw new SdkError("NoSuchKey", `The specified key does not exist: ${Key}`);
    return { Body: found };
  }
}

/** A handler's error with a name, as `class Throttled extends Error` in a function gives. */
export function handlerError(name: string, message: string): HandlerError {
  const error = new HandlerError(message);
  error.name = name;
  return error;
}

export const types = (events: readonly HistoryEvent[]) => events.map((event) => event.type);
