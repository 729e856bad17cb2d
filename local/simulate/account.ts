import type { StepName } from "../../contract/steps.ts";
import { StatesApiError } from "../states/errors.ts";
import type { StateMachines } from "../states/state-machines.ts";
import type { CloudFaults } from "./faults.ts";
import type { SimulatedHost } from "./host.ts";
import { SimulatedBucket } from "./objects.ts";
import { type Quotas, TokenBucket } from "./quotas.ts";
import type { SendCommandInput, SimulatedRunCommand } from "./run-command.ts";
import { asSdkError, ServiceError } from "./service-error.ts";
import { SimulatedSigning } from "./signing.ts";
import { reportOf } from "./step-data.ts";
import type { Tally } from "./tally.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface AccountPorts {
  readonly clock: VirtualClock;
  readonly quotas: Quotas;
  readonly faults: CloudFaults;
  readonly tally: Tally;
  readonly hosts: ReadonlyMap<string, SimulatedHost>;
  readonly fraction: () => number;
  readonly runCommand: SimulatedRunCommand;
  readonly signingKeyArns: readonly string[];
  machines(): StateMachines;
}

/** Each knows its own input; what a client sends is of that shape. */
type Operation = (input: never) => unknown;

/** Milliseconds that a call takes. */
const LATENCY_MS: Readonly<Record<string, number>> = { S3: 30, SSM: 90, SFN: 40 };
const OTHER_LATENCY_MS = 50;
/** As the SDK's standard retries: three attempts, half a second and doubling after a throttle, with full jitter. */
const ATTEMPTS = 3;
const THROTTLE_BASE_MS = 500;
const NAME_OF_THROTTLE: Readonly<Record<string, string>> = { S3: "SlowDown" };

/** The services that our Lambdas call, in memory and in virtual time, under quotas. A call it does not know fails by name. */
export class SimulatedAccount {
  readonly bucket: SimulatedBucket;
  readonly published: { readonly Subject?: string; readonly Message: string }[] = [];
  readonly #ports: AccountPorts;
  readonly #operations: Readonly<Record<string, Operation>>;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(ports: AccountPorts) {
    this.#ports = ports;
    this.bucket = new SimulatedBucket((key) => hostObject(key, ports.hosts));
    for (const [name, rate] of Object.entries(ports.quotas.calls)) this.#buckets.set(name, new TokenBucket(rate));
    const { bucket, published } = this;
    const signing = new SimulatedSigning(ports.signingKeyArns);
    const { runCommand } = ports;
    this.#operations = {
      "S3.GetObject": (input) => bucket.get(input),
      "S3.HeadObject": (input) => bucket.head(input),
      "S3.PutObject": (input) => bucket.put(input),
      "S3.DeleteObject": (input) => bucket.delete(input),
      "S3.ListObjectsV2": (input) => bucket.list(input),
      "SSM.SendCommand": (input: SendCommandInput) => runCommand.send(input),
      "SSM.ListCommandInvocations": (input) => runCommand.list(input),
      "SSM.GetCommandInvocation": (input) => runCommand.get(input),
      "SSM.DescribeInstanceInformation": (input) => this.#describe(input),
      "SSM.PutComplianceItems": () => ({}),
      // Simulated hosts are in no group.
      "Auto Scaling.DescribeAutoScalingInstances": () => ({ AutoScalingInstances: [] }),
      "KMS.Sign": (input) => signing.sign(input),
      "KMS.GetPublicKey": (input) => signing.publicKey(input),
      "SFN.SendTaskSuccess": (input) => this.#states((machines) => machines.sendTaskSuccess(input)),
      "SNS.Publish": (input) => ({ MessageId: `m-${published.push(input)}` }),
      "CloudWatch.PutMetricData": () => ({}),
    };
  }

  /** One call as an SDK client makes it, with its retries. @throws Error of the SDK's own classes, with the service's name for what is wrong */
  async call(service: string, operation: string, input: unknown): Promise<unknown> {
    const { clock, faults, tally, fraction } = this.#ports;
    const name = `${service}.${operation}`;
    const work = this.#operations[name];
    if (work === undefined)
      throw new Error(`the simulated account does not know ${name}; add it to local/simulate/account.ts`);
    const quota = this.#buckets.get(name);
    for (let attempt = 0; ; attempt++) {
      const isThrottled = faults.throttles(service, operation) || quota?.take(clock.millis) === false;
      await clock.sleep(LATENCY_MS[service] ?? OTHER_LATENCY_MS);
      if (!isThrottled) break;
      tally.count(tally.throttles, name);
      if (attempt + 1 === ATTEMPTS)
        throw asSdkError(new ServiceError(NAME_OF_THROTTLE[service] ?? "ThrottlingException"), service);
      await clock.sleep(fraction() * THROTTLE_BASE_MS * 2 ** attempt);
    }
    tally.count(tally.calls, name);
    try {
      return work(input as never);
    } catch (error) {
      throw error instanceof ServiceError ? asSdkError(error, service) : error;
    }
  }

  #states<T>(work: (machines: StateMachines) => T): T {
    try {
      return work(this.#ports.machines());
    } catch (error) {
      throw error instanceof StatesApiError ? new ServiceError(error.code, error.message) : error;
    }
  }

  #describe(input: {
    readonly Filters?: readonly { Key: string; Values: readonly string[] }[];
    readonly NextToken?: string;
  }) {
    const ids = input.Filters?.find(({ Key }) => Key === "InstanceIds")?.Values;
    const { hosts } = this.#ports;
    const all = ids === undefined ? [...hosts.values()] : ids.flatMap((id) => hosts.get(id) ?? []);
    const start = Number(input.NextToken ?? 0);
    const shown = all.slice(start, start + 50);
    const next = start + 50 < all.length ? { NextToken: String(start + 50) } : {};
    return { InstanceInformationList: shown.filter(({ isGone }) => !isGone).map(information), ...next };
  }
}

function information({ instanceId, name, isSilent }: SimulatedHost) {
  return {
    InstanceId: instanceId,
    ComputerName: name,
    PlatformType: "Linux",
    PlatformName: "Debian GNU/Linux",
    PlatformVersion: "12",
    PingStatus: isSilent ? "ConnectionLost" : "Online",
    LastPingDateTime: new Date("2026-03-01T01:59:00Z"),
  };
}

const HOST_REPORT = /^hosts\/[^/]*:([^/:]+)\/runs\/([^/]+)\/([a-z]+)-([0-9]+)\.json$/;

/** A host's full report of a step; kept as what the host remembers, not as text. */
function hostObject(key: string, hosts: ReadonlyMap<string, SimulatedHost>): string | undefined {
  const [, id = "", runId = "", step = "", attempt = ""] = HOST_REPORT.exec(key) ?? [];
  const result = hosts.get(id)?.recorded(runId, step as StepName, Number(attempt));
  return result === undefined ? undefined : JSON.stringify(reportOf(result));
}
