import { parseArgs } from "node:util";
import { nearest } from "../../contract/nearest.ts";
import { PRICES } from "./prices.ts";
import { DEFAULT_QUOTAS, type Quotas } from "./quotas.ts";

export interface SimulateOptions {
  readonly hosts: number;
  readonly faults: boolean;
  readonly seed: number;
  /** Systems Manager knows nothing yet of where the hosts stand: each is told of once. */
  readonly firstRun: boolean;
  /** File for everything that was counted. */
  readonly json: string | null;
  readonly region: keyof typeof PRICES;
  readonly quotas: Quotas;
  /** Batches of a wave side by side; as the stack's own configuration says when absent. */
  readonly batchesAtOnce: number | null;
}

/** Something typed wrong: the message names it and the way out. */
export class SimulateUsage extends Error {
  override readonly name = "SimulateUsage";
}

export const USAGE = `npm run simulate -- [--hosts N] [--faults] [--first-run] [--seed N] [--json FILE] [--region ${Object.keys(PRICES).join("|")}] [--batches-at-once N] [--quota NAME=PER_SECOND]…
`;

/** Reads the command line. @throws SimulateUsage */
export function parseSimulateOptions(args: readonly string[]): SimulateOptions {
  const { values } = parse(args);
  const region = Object.keys(PRICES).find((name) => name === values.region) as keyof typeof PRICES | undefined;
  if (region === undefined)
    throw new SimulateUsage(`--region ${values.region}: ${nearest(values.region, Object.keys(PRICES))}`);
  return {
    hosts: whole("--hosts", values.hosts, 1, 1_000_000),
    faults: values.faults,
    firstRun: values["first-run"],
    seed: whole("--seed", values.seed, 0, 0xffff_ffff),
    json: values.json ?? null,
    region,
    quotas: withQuotas(values.quota),
    batchesAtOnce:
      values["batches-at-once"] === undefined ? null : whole("--batches-at-once", values["batches-at-once"], 1, 1_000),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        hosts: { type: "string", default: "1000" },
        faults: { type: "boolean", default: false },
        "first-run": { type: "boolean", default: false },
        seed: { type: "string", default: "1" },
        json: { type: "string" },
        region: { type: "string", default: "eu-west-1" },
        "batches-at-once": { type: "string" },
        quota: { type: "string", multiple: true, default: [] },
      },
    });
  } catch (error) {
    throw new SimulateUsage(`${(error as Error).message}; ${USAGE}`);
  }
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new SimulateUsage(
    `${flag} ${text}: a whole number from ${least} to ${most}, e.g. ${flag} ${Math.max(least, 1)}`,
  );
}

/** `SSM.SendCommand=5`: so many a second, and as many at once. */
function withQuotas(given: readonly string[]): Quotas {
  const calls = { ...DEFAULT_QUOTAS.calls };
  for (const text of given) {
    const [name = "", value = ""] = text.split("=");
    if (!(name in calls))
      throw new SimulateUsage(`--quota ${text}: ${name} has no quota; ${nearest(name, Object.keys(calls))}`);
    const perSecond = whole(`--quota ${name}`, value, 1, 1_000_000);
    calls[name] = { burst: perSecond, perSecond };
  }
  return { ...DEFAULT_QUOTAS, calls };
}
