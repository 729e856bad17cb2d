import { CONTRACT_VERSION } from "../../contract/envelope.ts";
import { DEFAULT_POLICY, type HostRequest } from "../../contract/request.ts";
import { COMMANDS, commandSeconds } from "../../contract/steps.ts";
import type { SimulatedHost } from "./host.ts";
import { type Quotas, TokenBucket } from "./quotas.ts";
import { sequence } from "./random.ts";
import { Tally } from "./tally.ts";

/** What everybody builds first: for each host one execution that sends each command to it alone and asks every 15 seconds for its end. */
export interface NaiveRun {
  readonly seconds: number;
  readonly tally: Tally;
  /** Hosts that never answered until the command's end. */
  readonly unanswered: number;
}

const POLL_MS = 15_000;
const CALL_MS = 90;
/** Its Retry: ten seconds at first, doubling to a minute, with full jitter, as often as it takes. */
const RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 60_000;
const SEQUENCE = ["prepare", "apply", "commit"] as const;
const DELIVERY_SECONDS = 600;

/** The same hosts in the same waves under the same quotas. Its own small simulation, event by event, for it has a hundred times as many. */
export function runNaive(
  hosts: ReadonlyMap<string, SimulatedHost>,
  waves: readonly (readonly string[])[],
  { quotas, bakeSeconds, seed }: { readonly quotas: Quotas; readonly bakeSeconds: number; readonly seed: number },
): NaiveRun {
  const tally = new Tally();
  const fraction = sequence(seed);
  const buckets = new Map(Object.entries(quotas.calls).map(([name, rate]) => [name, new TokenBucket(rate)]));
  const transitions = new TokenBucket(quotas.transitions);
  const agenda = new Agenda();
  let unanswered = 0;
  let running = 0;

  /** Enters a state, when the account's rate of transitions lets it. */
  const enter = (then: () => void) => {
    tally.transitions++;
    agenda.after(transitions.queue(agenda.now), then);
  };
  const call = (name: string, then: () => void, attempt = 0) =>
    enter(() => {
      if (buckets.get(name)?.take(agenda.now) === false) {
        tally.count(tally.throttles, name);
        const most = Math.min(RETRY_MS * 2 ** attempt, LONGEST_RETRY_MS);
        agenda.after(CALL_MS + fraction() * most, () => call(name, then, attempt + 1));
        return;
      }
      tally.count(tally.calls, name);
      agenda.after(CALL_MS, then);
    });
  const poll = (endsMs: number, then: () => void) =>
    enter(() =>
      agenda.after(POLL_MS, () =>
        call("SSM.GetCommandInvocation", () => enter(() => (agenda.now >= endsMs ? then() : poll(endsMs, then)))),
      ),
    );
  const follow = (host: SimulatedHost, index: number) => {
    const command = SEQUENCE[index];
    if (command === undefined) {
      running--;
      tally.executions++;
      return;
    }
    call("SSM.SendCommand", () => {
      const { steps, seconds } = host.take(requestFor(host.instanceId, command), agenda.now);
      const limit = DELIVERY_SECONDS + commandSeconds(command);
      const isAnswered = steps !== null && seconds <= limit;
      poll(agenda.now + (isAnswered ? seconds : limit) * 1000, () => {
        if (!isAnswered) unanswered++;
        follow(host, isAnswered && steps.every(({ status }) => status === "Success") ? index + 1 : SEQUENCE.length);
      });
    });
  };

  for (const [index, wave] of waves.entries()) {
    if (index > 0) agenda.now += bakeSeconds * 1000;
    running = wave.length;
    for (const id of wave) {
      const host = hosts.get(id);
      if (host === undefined) throw new Error(`the naive run knows no host ${id}`);
      call("SFN.StartExecution", () => follow(host, 0));
    }
    while (running > 0) agenda.next();
  }
  for (const host of hosts.values()) for (const count of host.executions.values()) tally.hostSteps += count;
  return { seconds: agenda.now / 1000, tally, unanswered };
}

function requestFor(instanceId: string, command: (typeof SEQUENCE)[number]): HostRequest {
  return {
    contractVersion: CONTRACT_VERSION,
    runId: "naive",
    fleet: "default",
    steps: [...COMMANDS[command]],
    attempt: 1,
    expiresAt: "9999-12-31T23:59:59.000Z",
    instanceIds: [instanceId],
    dryRun: false,
    policy: DEFAULT_POLICY,
    bucket: "bucket",
  };
}

/** What is to happen, by time: buckets of one second, for most of it is retries within the next minute. */
class Agenda {
  now = 0;
  readonly #seconds = new Map<number, { at: number; act: () => void }[]>();
  #second = 0;
  #open: { at: number; act: () => void }[] = [];

  after(ms: number, act: () => void): void {
    const at = this.now + ms;
    const second = Math.floor(at / 1000);
    if (second <= this.#second) {
      insert(this.#open, { at, act });
      return;
    }
    const list = this.#seconds.get(second);
    if (list === undefined) this.#seconds.set(second, [{ at, act }]);
    else list.push({ at, act });
  }

  /** Does what is next. @throws Error when there is nothing left */
  next(): void {
    while (this.#open.length === 0) {
      if (this.#seconds.size === 0) throw new Error("the naive run waits for something that never comes");
      this.#second++;
      const due = this.#seconds.get(this.#second);
      this.#seconds.delete(this.#second);
      this.#open = (due ?? []).sort((one, other) => other.at - one.at);
    }
    const event = this.#open.pop();
    this.now = Math.max(this.now, event?.at ?? 0);
    event?.act();
  }
}

/** Into a list that is sorted from the latest to the next. */
function insert<T extends { at: number }>(list: T[], event: T): void {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as T).at > event.at) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, event);
}
