import type { FleetSettings } from "../../contract/environment.ts";
import { fromEnvironment } from "../../contract/environment.ts";
import type { Surroundings } from "../../lambdas/handlers/define-handler.ts";
import type { DeployedFunction } from "../cloud/deployment.ts";
import { SdkError } from "../states/errors.ts";
import type { InvokeAnswer } from "../states/ports.ts";
import { type CloudFaults, deadEnd } from "./faults.ts";
import type { Quotas } from "./quotas.ts";
import { type SdkPort, withSdk } from "./sdk.ts";
import type { Tally } from "./tally.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface FunctionsPorts {
  readonly clock: VirtualClock;
  readonly quotas: Quotas;
  readonly faults: CloudFaults;
  readonly tally: Tally;
  call: SdkPort;
}

type Handler = {
  within(event: unknown, surroundings: Surroundings): Promise<unknown>;
};
interface Loaded {
  readonly name: string;
  readonly handler: Handler;
  readonly settings: FleetSettings;
  readonly deployed: DeployedFunction;
  /** When each environment that waits for work had its last. */
  readonly warmSince: number[];
}
interface Ended {
  readonly answer: InvokeAnswer;
}

/** What Node and our own code take of each invocation beside its calls; a cold start in addition. Milliseconds. */
const OWN_MS = 20;
const COLD_START_MS = 300;
/** An environment that had no work for so long is gone. */
const KEPT_WARM_MS = 600_000;
/** Lambda tries an asynchronous invocation again after these. Source: "How Lambda handles errors and retries with asynchronous invocation". */
const AGAIN_AFTER_MS = [60_000, 120_000];

/** The deployed Lambdas, their own handlers run in this process with SDK clients that call the simulated account. */
export class SimulatedFunctions {
  readonly #ports: FunctionsPorts;
  readonly #byArn: ReadonlyMap<string, Loaded>;
  #running = 0;

  private constructor(ports: FunctionsPorts, loaded: readonly Loaded[]) {
    this.#ports = ports;
    this.#byArn = new Map(loaded.map((one) => [one.deployed.arn, one]));
  }

  /** Loads the handlers by the names that the template gives its functions: `AutoPatch: plan` is lambdas/handlers/plan.ts. */
  static async load(functions: readonly DeployedFunction[], ports: FunctionsPorts): Promise<SimulatedFunctions> {
    const loaded = functions.map(async (deployed): Promise<Loaded> => {
      const name = deployed.title.replace(/^AutoPatch: /, "");
      const { handler } = (await import(`../../lambdas/handlers/${name}.ts`)) as { handler: Handler };
      return { name, handler, settings: fromEnvironment(deployed.environment), deployed, warmSince: [] };
    });
    return new SimulatedFunctions(ports, await Promise.all(loaded));
  }

  /** Synchronous, as a state machine invokes. @throws SdkError ResourceNotFoundException, TooManyRequestsException */
  async invoke(arn: string, payload: unknown): Promise<InvokeAnswer> {
    const found = this.#byArn.get(arn);
    if (found === undefined) throw new SdkError("ResourceNotFoundException", `Function not found: ${arn}`);
    const { tally, quotas } = this.#ports;
    if (this.#running >= quotas.concurrency) {
      tally.count(tally.throttles, "Lambda.Invoke");
      throw new SdkError("TooManyRequestsException", "Rate Exceeded.");
    }
    this.#running++;
    tally.peakConcurrency = Math.max(tally.peakConcurrency, this.#running);
    try {
      return await this.#run(found, payload);
    } finally {
      this.#running--;
    }
  }

  /** Asynchronous, as an event invokes: tried again twice. @returns whether it came to a good end */
  async invokeLater(arn: string, event: unknown): Promise<boolean> {
    const { clock } = this.#ports;
    for (const wait of [0, ...AGAIN_AFTER_MS]) {
      if (wait > 0) await clock.sleep(wait);
      try {
        if ("payload" in (await this.invoke(arn, event))) return true;
      } catch (error) {
        if (!(error instanceof SdkError)) throw error;
      }
    }
    return false;
  }

  async #run({ name, handler, settings, deployed, warmSince }: Loaded, payload: unknown): Promise<InvokeAnswer> {
    const { clock, faults, tally, call } = this.#ports;
    const began = clock.millis;
    tally.count(tally.invocations, name);
    const idleSince = warmSince.pop();
    const isCold = idleSince === undefined || began - idleSince > KEPT_WARM_MS;
    if (isCold) tally.coldStarts++;
    await clock.sleep(OWN_MS + (isCold ? COLD_START_MS : 0));
    const crash = faults.crash(name);
    const over = Promise.withResolvers<Ended>();
    let isOver = false;
    const end = (answer: InvokeAnswer) => {
      isOver = true;
      over.resolve({ answer });
    };
    const die = () => {
      tally.count(tally.crashes, name);
      end(functionError("Runtime.ExitError", "RequestId: 0 Error: Runtime exited with error: signal: killed"));
      return deadEnd();
    };
    let calls = 0;
    const port: SdkPort = async (service, operation, input) => {
      const number = calls++;
      if (isOver) return deadEnd();
      if (crash?.call === number && crash.when === "before") return die();
      const answer = await call(service, operation, input);
      if (isOver) return deadEnd();
      return crash?.call === number ? die() : answer;
    };
    const timer = new AbortController();
    clock.sleep(deployed.timeoutSeconds * 1000, timer.signal).then(
      () => end(functionError("Sandbox.Timedout", `Task timed out after ${deployed.timeoutSeconds}.00 seconds`)),
      () => undefined,
    );
    withSdk(port, () =>
      handler.within(structuredClone(payload), { settings, now: clock.now(), clock: () => clock.millis }),
    ).then(
      // What leaves a Lambda is JSON.
      (value) => end({ payload: value === undefined ? null : JSON.parse(JSON.stringify(value)) }),
      ({ name: errorType, message }: Error) => end(functionError(errorType, message)),
    );
    const { answer } = await over.promise;
    timer.abort();
    if ("functionError" in answer) tally.count(tally.failures, name);
    if (!("functionError" in answer) || answer.functionError.errorType !== "Runtime.ExitError")
      warmSince.push(clock.millis);
    tally.gbSeconds += ((clock.millis - began) / 1000) * (deployed.memoryMb / 1024);
    return answer;
  }
}

function functionError(errorType: string, errorMessage: string): InvokeAnswer {
  return { functionError: { errorType, errorMessage } };
}
