import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Endpoint, type EndpointOptions, openEndpoint } from "../../../local/endpoints/endpoint.ts";
import type { AccessRequest, Caller } from "../../../local/endpoints/protocol/request.ts";
import type { LambdaPort } from "../../../local/endpoints/services/lambda.ts";
import type { AgentHost } from "../../../local/run-command/document/script.ts";
import type { RunCommand } from "../../../local/run-command/service/run-command.ts";
import { systemClock, systemRandomness } from "../../../local/states/ports.ts";
import { StateMachines } from "../../../local/states/state-machines.ts";
import { nodeOn, runCommandOver, type TestNode } from "../run-command/fleet.ts";

export const ACCOUNT = "123456789012";
export const REGION = "eu-west-1";
export const BUCKET = "conformance";
export const TOPIC = `arn:aws:sns:${REGION}:${ACCOUNT}:autopatch`;
export const MACHINE = `arn:aws:states:${REGION}:${ACCOUNT}:stateMachine:greeter`;
export const SIGNING_KEY = `arn:aws:kms:${REGION}:${ACCOUNT}:key/11111111-2222-4333-8444-555555555555`;
export const HOST_USER_ID = "AROAEXAMPLEROLE:i-00000000000000001";

export const OPERATOR = { accessKeyId: "AKIAOPERATOR", secretAccessKey: "operator" };
export const HOST = { accessKeyId: "ASIAHOST", secretAccessKey: "host", sessionToken: "session" };

/** An operator may do all; a host may put and get below its own prefix, and nothing else. */
const CALLERS: Readonly<Record<string, Caller>> = {
  [OPERATOR.accessKeyId]: {
    userId: "AIDAOPERATOR",
    arn: `arn:aws:iam::${ACCOUNT}:user/operator`,
    allows: () => true,
  },
  [HOST.accessKeyId]: {
    userId: HOST_USER_ID,
    arn: `arn:aws:sts::${ACCOUNT}:assumed-role/autopatch-host/i-00000000000000001`,
    allows: ({ action, resource }: AccessRequest) =>
      ["s3:PutObject", "s3:GetObject"].includes(action) &&
      resource.startsWith(`arn:aws:s3:::${BUCKET}/hosts/${HOST_USER_ID}/`),
  },
};

/** A machine that waits for a token, then greets. */
const GREETER = {
  QueryLanguage: "JSONata",
  StartAt: "Greet",
  States: { Greet: { Type: "Pass", Output: "{% { 'greeting': 'hello ' & $states.input.name } %}", End: true } },
};

const functions: LambdaPort = {
  arnOf: (name) => (name === "echo" ? `arn:aws:lambda:${REGION}:${ACCOUNT}:function:echo` : null),
  invoke: async (_arn, event) =>
    typeof event === "object" && event !== null && "fail" in event
      ? { error: { errorType: "Error", errorMessage: "told to fail" } }
      : { payload: { echoed: event } },
};

export interface Running extends Endpoint {
  readonly lines: string[];
  readonly putEvents: unknown[];
  readonly machines: StateMachines;
  readonly runCommand: RunCommand;
  stop(): Promise<void>;
}

/** The endpoint over a real Run Command and a real interpreter, on a folder of its own. */
export async function runEndpoint(host?: AgentHost, more: Partial<EndpointOptions> = {}): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-endpoints-"));
  const lines: string[] = [];
  const putEvents: unknown[] = [];
  const nodes: TestNode[] = host === undefined ? [] : [nodeOn(host, 1, { Fleet: "web" })];
  const { service: runCommand } = runCommandOver(nodes);
  const refuse = () => Promise.reject(new Error("no task in the greeter"));
  const machines = new StateMachines(
    { invoke: refuse, sdk: refuse, clock: systemClock, random: systemRandomness },
    { region: REGION },
  );
  machines.register({
    name: "greeter",
    arn: MACHINE,
    roleArn: `arn:aws:iam::${ACCOUNT}:role/greeter`,
    definition: JSON.stringify(GREETER),
  });
  const endpoint = await openEndpoint({
    port: 0,
    account: ACCOUNT,
    region: REGION,
    folder,
    buckets: [BUCKET],
    topicArns: [TOPIC],
    signingKeyArns: [SIGNING_KEY],
    callers: { find: (key) => CALLERS[key] },
    runCommand,
    machines,
    functions,
    putEvent: (event) => void putEvents.push(event),
    now: () => new Date(),
    log: (line) => void lines.push(line),
    ...more,
  });
  const inUse = { runCommand, ...more };
  return {
    ...endpoint,
    lines,
    putEvents,
    machines,
    runCommand: inUse.runCommand,
    stop: async () => {
      await inUse.runCommand.close();
      await endpoint.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
