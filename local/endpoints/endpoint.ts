import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { RunCommand } from "../run-command/service/run-command.ts";
import { answerCall, type Services } from "./answer-call.ts";
import type { FaultPort } from "./fault.ts";
import type { Caller } from "./protocol/request.ts";
import { Uploads } from "./s3/multipart.ts";
import { BucketStore, type ObjectVersion } from "./s3/store.ts";
import { Metrics } from "./services/cloudwatch.ts";
import { type EventsSettings, eventsService } from "./services/events.ts";
import { SigningKeys } from "./services/kms.ts";
import type { LambdaPort } from "./services/lambda.ts";
import { type ScalingGroup, ScalingGroups } from "./services/scaling.ts";
import { type Secret, Secrets } from "./services/secrets.ts";
import { Topics } from "./services/sns.ts";
import { ssmService } from "./services/ssm.ts";
import { type StatesApi, statesService } from "./services/states.ts";
import { stsService } from "./services/sts.ts";

export interface EndpointOptions {
  /** 0 takes a free one. */
  readonly port: number;
  readonly account: string;
  readonly region: string;
  /** Folder for the content of the buckets; made when missing, never removed here. */
  readonly folder: string;
  /** Names of the buckets that exist; all are versioned. */
  readonly buckets: readonly string[];
  readonly topicArns: readonly string[];
  /** @default there is none */
  readonly secrets?: readonly Secret[];
  /** @default there is none */
  readonly scalingGroups?: readonly ScalingGroup[];
  /** KMS keys that sign, by their ARN. @default none */
  readonly signingKeyArns?: readonly string[];
  /** Who has this access key; undefined when nobody. */
  readonly callers: { find(accessKeyId: string): Caller | undefined };
  readonly runCommand: RunCommand;
  readonly machines: StatesApi;
  readonly functions: LambdaPort;
  readonly putEvent: EventsSettings["put"];
  /** Told of each object that was put into a bucket. @default nobody is */
  readonly objectCreated?: (bucket: string, version: ObjectVersion) => void;
  readonly now: () => Date;
  /** @default every call is carried out */
  readonly fault?: FaultPort;
  /** Told of each call that the local stack does not know, and of each that broke. */
  readonly log: (line: string) => void;
}

/** The loopback server, and what was sent to it. */
export interface Endpoint {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly topics: Topics;
  readonly metrics: Metrics;
  readonly store: BucketStore;
  /** Ends open connections too. */
  close(): Promise<void>;
}

/**
 * One server on 127.0.0.1 that speaks for the services the stack calls, told apart by the signature's scope.
 * @throws Error when the port is taken
 */
export async function openEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const { account, region, now, log, fault } = options;
  const store = new BucketStore(options.folder, now);
  for (const bucket of options.buckets) store.createBucket(bucket);
  const topics = new Topics(options.topicArns, now);
  const metrics = new Metrics(now);
  const services: Services = {
    account,
    callers: options.callers,
    s3: { store, uploads: new Uploads(store, now), account, region, fault, created: options.objectCreated },
    functions: options.functions,
    ssm: ssmService(options.runCommand, { account, region }),
    states: statesService(options.machines),
    events: eventsService({ account, region, now, put: options.putEvent }),
    cloudwatch: metrics,
    sns: topics,
    scaling: new ScalingGroups(options.scalingGroups ?? []),
    kms: new SigningKeys(options.signingKeyArns ?? []),
    sts: stsService(account),
    secrets: new Secrets(options.secrets ?? []),
    fault,
    log,
  };
  const server = createServer((request, response) => {
    serve(request, response, services).catch((error: unknown) => {
      log(`endpoint: ${request.method} ${request.url}: ${error instanceof Error ? error.stack : String(error)}`);
      response.destroy();
    });
  });
  // A caller that keeps a connection open would find it closed under a request after Node's usual 5 seconds.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    topics,
    metrics,
    store,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, services: Services): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
  const [path = "/", query = ""] = (request.url ?? "/").split("?", 2);
  const answer = await answerCall(
    {
      method: request.method ?? "GET",
      path,
      query: new URLSearchParams(query),
      headers,
      body: Buffer.concat(chunks),
    },
    services,
  );
  const { "content-length": declared, ...rest } = answer.headers;
  response.writeHead(answer.status, { "content-length": declared ?? Buffer.byteLength(answer.body), ...rest });
  response.end(answer.body);
}
