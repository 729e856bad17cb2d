import { writeFileSync } from "node:fs";
import type { Snapshot } from "../../contract/run.ts";
import { type FleetConfig, readConfig } from "../../infra/config.ts";
import { aimsOf } from "./aims.ts";
import { placesOf, slowestChain } from "./chains.ts";
import { deployed } from "./deploy.ts";
import { NO_FAULTS, randomFaults } from "./faults.ts";
import { FLEET_FAULTS, simulatedFleet } from "./fleet.ts";
import { holdAgainst } from "./honesty.ts";
import { knownFleet } from "./known-fleet.ts";
import { runNaive } from "./naive.ts";
import { parseSimulateOptions, type SimulateOptions, SimulateUsage } from "./options.ts";
import { PRICES } from "./prices.ts";
import { sequence } from "./random.ts";
import { type SimulationResult, sideOf } from "./result.ts";
import { runFleet } from "./run-fleet.ts";
import { formatResult } from "./table.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** `npm run simulate`: the fleet run over simulated hosts, beside the design that polls each host. */
async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { hosts: count, seed, quotas } = options;
  const began = performance.now();
  const config = configOf(options);
  const { waves, batchesAtOnce, fleet: fleetName } = readConfig(config);
  const fleet = simulatedFleet(count, seed, options.faults);
  const faults = options.faults ? randomFaults(FLEET_FAULTS, sequence(seed + 1)) : NO_FAULTS;
  const objects = options.firstRun ? {} : knownFleet(fleetName, fleet, new VirtualClock().millis);
  const run = await runFleet({ deployment: deployed(config), hosts: fleet, seed, faults, quotas, objects });
  const { report, tally } = run;
  if (report === undefined) throw new Error(`the run left no report: ${run.error}: ${run.cause}`);
  const planned = wavesOf(report);

  const others = simulatedFleet(count, seed, options.faults);
  const byId = new Map(others.map((host) => [host.instanceId, host]));
  const perWave = planned.map(({ batches }) => batches.flat());
  const naive = runNaive(byId, perWave, { quotas, bakeSeconds: waves.bakeSeconds, seed });

  const prices = PRICES[options.region];
  const honesty = holdAgainst(report, new Map(fleet.map((host) => [host.instanceId, host])), run.endedAtMs);
  const ours = sideOf({ ...run, unanswered: honesty.outcomes.inDoubt ?? 0 }, prices);
  const chainSeconds = slowestChain(run.work, placesOf(planned), { batchesAtOnce, bakeSeconds: waves.bakeSeconds });
  const figures = { hosts: count, transitions: tally.transitions, ssmCalls: tally.callsOf("SSM"), dollars: ours.total };
  return {
    hosts: count,
    seed,
    faults: options.faults,
    firstRun: options.firstRun,
    region: options.region,
    outcome: report.outcome,
    sentence: report.sentence,
    ours,
    naive: sideOf(naive, prices),
    chainSeconds,
    aims: aimsOf({ ...figures, seconds: run.seconds, chainSeconds }),
    honesty,
    unfinished: run.unfinished,
    machine: { seconds: (performance.now() - began) / 1000, megabytes: process.resourceUsage().maxRSS / 1024 },
  };
}

/** The stack's own defaults; with faults a budget that lets the run go on to its end, so that there is something to count. */
function configOf({ faults, batchesAtOnce }: SimulateOptions): {
  waves?: Partial<FleetConfig["waves"]>;
  batchesAtOnce?: number;
} {
  return {
    ...(faults ? { waves: { errorBudget: "100%" } } : {}),
    ...(batchesAtOnce === null ? {} : { batchesAtOnce }),
  };
}

/** The run's waves with their batches, from its report: the hosts of a wave stand in the order of their batches. */
function wavesOf({
  waves,
  hosts,
}: {
  waves: readonly { index: number; name: string }[];
  hosts: readonly { wave: number; instanceId: string }[];
}): Snapshot["waves"] {
  return waves.map(({ index, name }) => {
    const ids = hosts.filter(({ wave }) => wave === index).map(({ instanceId }) => instanceId);
    return {
      index,
      name,
      batches: Array.from({ length: Math.ceil(ids.length / 50) }, (_, at) => ids.slice(at * 50, at * 50 + 50)),
    };
  });
}

async function main(): Promise<void> {
  const options = parseSimulateOptions(process.argv.slice(2));
  const result = await inSilence(() => simulate(options));
  process.stdout.write(formatResult(result));
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
  const { missing, untrue } = result.honesty;
  if (missing.length + untrue.length + result.unfinished.length > 0) process.exitCode = 1;
}

/** Lambdas log to the console, and their embedded metrics go straight to standard output. */
async function inSilence<T>(work: () => Promise<T>): Promise<T> {
  const { log } = console;
  const write = process.stdout.write;
  console.log = () => undefined;
  process.stdout.write = () => true;
  try {
    return await work();
  } finally {
    console.log = log;
    process.stdout.write = write;
  }
}

main().catch((error: unknown) => {
  process.stderr.write(
    `simulate: ${error instanceof SimulateUsage ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exitCode = error instanceof SimulateUsage ? 2 : 1;
});
