import * as z from "zod";
import { type FleetSettings, fromEnvironment } from "../../contract/environment.ts";

/** What a handler's core is given beside its message. */
export interface Surroundings {
  readonly settings: FleetSettings;
  readonly now: Date;
}

/** A message that is not what this Lambda takes, or an answer that is not what it promises. Trying again would not help. */
export class ContractError extends Error {
  override readonly name = "ContractError";
}

/**
 * A Lambda: the message in, checked; the core; its answer out, checked. The one place that reads the environment.
 * @throws ContractError
 */
export function defineHandler<Q extends z.ZodType, A extends z.ZodType>(
  request: Q,
  answer: A,
  core: (message: z.output<Q>, surroundings: Surroundings) => Promise<z.input<A>>,
): (event: unknown) => Promise<z.output<A>> {
  return async (event) => {
    const message = check(request, event, "message");
    const given = await core(message, { settings: fromEnvironment(process.env), now: new Date() });
    return check(answer, given, "answer");
  };
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
