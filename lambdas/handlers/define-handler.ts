import * as z from "zod";
import { type FleetSettings, fromEnvironment } from "../../contract/environment.ts";

/** What a handler's core is given beside its message. */
export interface Surroundings {
  readonly settings: FleetSettings;
  /** When it was called. */
  readonly now: Date;
  /** Milliseconds since 1970 as they go by. */
  clock(): number;
}

/** A message that is not what this Lambda takes, or an answer that is not what it promises. Trying again would not help. */
export class ContractError extends Error {
  override readonly name = "ContractError";
}

/** What Lambda calls; and the same in surroundings of the caller's own, where time and settings are not this process's. */
export interface Handler<A> {
  (event: unknown): Promise<A>;
  within(event: unknown, surroundings: Surroundings): Promise<A>;
}

/**
 * A Lambda: the message in, checked; the core; its answer out, checked. The one place that reads the environment.
 * @throws ContractError
 */
export function defineHandler<Q extends z.ZodType, A extends z.ZodType>(
  request: Q,
  answer: A,
  core: (message: z.output<Q>, surroundings: Surroundings) => Promise<z.input<A>>,
): Handler<z.output<A>> {
  const within = async (event: unknown, surroundings: Surroundings) =>
    check(answer, await core(check(request, event, "message"), surroundings), "answer");
  const handler = async (event: unknown) =>
    within(event, { settings: fromEnvironment(process.env), now: new Date(), clock: Date.now });
  return Object.assign(handler, { within });
}

function check<S extends z.ZodType>(schema: S, value: unknown, what: string): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ContractError(`the ${what} does not fit the contract: ${z.prettifyError(parsed.error)}`);
}

/** One line of JSON in the function's log. */
export function logLine(line: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify(line));
}

/** Metrics in the embedded format, each a line of the function's log. Straight to standard output: nothing may stand before the JSON. */
export function embedMetrics(lines: readonly Readonly<Record<string, unknown>>[]): void {
  for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`);
}
