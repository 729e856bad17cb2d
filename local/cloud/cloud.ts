import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { GetObjectCommand, PutObjectCommand, S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { openEndpoint } from "../endpoints/endpoint.ts";
import { type Imds, openImds } from "../endpoints/imds/imds.ts";
import type { CommandEvent, EventFaults } from "../run-command/service/events.ts";
import type { ManagedNode } from "../run-command/service/nodes.ts";
import { RunCommand, type SeenStep } from "../run-command/service/run-command.ts";
import { SdkError } from "../states/errors.ts";
import { systemClock, systemRandomness } from "../states/ports.ts";
import { StateMachines } from "../states/state-machines.ts";
import { type Caller, Callers, HOST_ROLE } from "./callers.ts";
import type { DeployedFunction, Deployment } from "./deployment.ts";
import { EventBus } from "./event-bus.ts";
import { LocalFunction } from "./lambda.ts";
import { objectCreated } from "./object-events.ts";

export interface CloudOptions {
  readonly deployment: Deployment;
  /** Folder for the buckets' objects. */
  readonly folder: string;
  /** @default any free one */
  readonly port?: number;
  /** What functions print and what goes wrong in delivery, a line each. */
  readonly log: (line: string) => void;
  /** @default events all arrive, once and at once */
  readonly eventFaults?: EventFaults;
}

/** The deployed stack, running: its state machines, functions, documents and rules behind one loopback endpoint. */
export interface Cloud {
  readonly deployment: Deployment;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly operator: Caller;
  readonly machines: StateMachines;
  readonly runCommand: RunCommand;
  /** Makes a host known to Systems Manager and gives it an instance metadata service. */
  addHost(node: ManagedNode): Promise<{ readonly imdsUrl: string }>;
  /** Calls `listener` for each event that Systems Manager sends. */
  onCommandEvent(listener: (event: CommandEvent) => void): void;
  /** Tells each step of a command as it ends on its host. */
  onStep(listener: (seen: SeenStep) => void): void;
  /** Text of an object of the stack's data bucket, or null when there is none. */
  readObject(key: string): Promise<string | null>;
  close(): Promise<void>;
}

/** Starts everything the deployment names. @throws Error naming what the local stack does not know */
export async function openCloud(options: CloudOptions): Promise<Cloud> {
  const { deployment, log } = options;
  const { place } = deployment;
  const callers = new Callers(deployment);
  const nodes: ManagedNode[] = [];
  const metadata: Imds[] = [];
  const listeners = new Set<(event: CommandEvent) => void>();
  const stepListeners = new Set<(seen: SeenStep) => void>();
  const functions = new Map<string, LocalFunction>();
  const invoke = async (arn: string, event: unknown) => {
    const found = functions.get(arn);
    if (found === undefined) throw new SdkError("ResourceNotFoundException", `Function not found: ${arn}`);
    return found.invoke(event);
  };
  const bus = new EventBus(deployment.rules, {
    deliver: async (arn, event) => {
      const answer = await invoke(arn, event);
      return "payload" in answer ? { ok: true, why: "" } : { ok: false, why: answer.error.errorMessage };
    },
    deadLetter: (queue, event, why) => log(`${queue}: dead letter ${event.id} (${event["detail-type"]}): ${why}`),
    sleep: (ms) => delay(ms),
  });
  const runCommand = new RunCommand({
    account: place.account,
    region: place.region,
    documents: deployment.documents.map(({ name, content }) => ({
      name,
      content: JSON.stringify(content),
      createdAt: new Date(),
    })),
    nodes: () => nodes,
    clock: systemClock,
    newId: randomUUID,
    emit: async (event) => {
      for (const listener of listeners) listener(event);
      await bus.put(event);
    },
    ...(options.eventFaults === undefined ? {} : { faults: options.eventFaults }),
    stepEnded: (seen) => {
      for (const listener of stepListeners) listener(seen);
    },
    log,
  });
  const machines = new StateMachines(
    {
      invoke: async (arn, payload) => {
        const answer = await invoke(arn, payload);
        return "payload" in answer ? answer : { functionError: answer.error };
      },
      sdk: (service, action, args) => callS3(s3, service, action, args),
      clock: systemClock,
      random: systemRandomness,
    },
    { region: place.region },
  );
  const endpoint = await openEndpoint({
    port: options.port ?? 0,
    account: place.account,
    region: place.region,
    folder: join(options.folder, "buckets"),
    buckets: deployment.buckets.map(({ name }) => name),
    topicArns: deployment.topicArns,
    signingKeyArns: deployment.signingKeyArns,
    callers,
    runCommand,
    machines,
    functions: {
      arnOf: (name) => deployment.functions.find((fn) => fn.name === name || fn.arn === name)?.arn ?? null,
      invoke,
    },
    putEvent: (event) => bus.put(event),
    objectCreated: (bucket, version) => {
      if (deployment.buckets.some(({ name, tellsEvents }) => name === bucket && tellsEvents))
        void bus.put(objectCreated(bucket, version, place));
    },
    now: () => new Date(),
    log,
  });
  const s3 = new S3Client({
    endpoint: endpoint.url,
    region: place.region,
    forcePathStyle: true,
    credentials: callers.operator.credentials,
  });
  for (const fn of deployment.functions) {
    functions.set(
      fn.arn,
      new LocalFunction({ ...fn, environment: environmentOf(fn, callers, endpoint.url, place.region) }, log),
    );
  }
  for (const machine of deployment.machines) machines.register(machine);

  return {
    deployment,
    url: endpoint.url,
    operator: callers.operator,
    machines,
    runCommand,
    addHost: async (node) => {
      const { credentials } = callers.ofHost(node.instanceId);
      const imds = await openImds({ instanceId: node.instanceId, ...place, role: HOST_ROLE, credentials });
      metadata.push(imds);
      nodes.push(node);
      return { imdsUrl: imds.url };
    },
    onCommandEvent: (listener) => void listeners.add(listener),
    onStep: (listener) => void stepListeners.add(listener),
    readObject: async (key) => {
      const Bucket = deployment.outputs.BucketName;
      try {
        const object = await s3.send(new GetObjectCommand({ Bucket, Key: key }));
        return (await object.Body?.transformToString()) ?? "";
      } catch (error) {
        if (error instanceof Error && error.name === "NoSuchKey") return null;
        throw error;
      }
    },
    close: async () => {
      await runCommand.close();
      await Promise.all([...functions.values()].map((fn) => fn.close()));
      await Promise.all(metadata.map((imds) => imds.close()));
      s3.destroy();
      await endpoint.close();
    },
  };
}

/** What Lambda sets around a function, and where its SDK clients find the local stack. */
function environmentOf(fn: DeployedFunction, callers: Callers, url: string, region: string): Record<string, string> {
  const { accessKeyId, secretAccessKey } = callers.ofFunction(fn).credentials;
  return {
    ...fn.environment,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_ENDPOINT_URL: url,
  };
}

/** The SDK calls that our state machines make themselves: a Distributed Map's items and results. */
async function callS3(s3: S3Client, service: string, action: string, args: unknown): Promise<unknown> {
  const { Bucket, Key, Body = "" } = args as { Bucket: string; Key: string; Body?: string };
  try {
    switch (`${service}:${action}`) {
      case "s3:getObject": {
        const answer = await s3.send(new GetObjectCommand({ Bucket, Key }));
        return { Body: (await answer.Body?.transformToString()) ?? "" };
      }
      case "s3:putObject":
        return await s3.send(new PutObjectCommand({ Bucket, Key, Body }));
      default:
        throw new Error(`${service}:${action} is not done by the local state machines`);
    }
  } catch (error) {
    if (error instanceof S3ServiceException) throw new SdkError(error.name, error.message);
    throw error;
  }
}
