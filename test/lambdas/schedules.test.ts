import { beforeAll, describe, expect, test } from "vitest";
import { COMMANDS, commandSeconds } from "../../contract/steps.ts";
import type { Deployment } from "../../local/cloud/deployment.ts";
import { deployed } from "../../local/simulate/deploy.ts";
import { randomFaults } from "../../local/simulate/faults.ts";
import { holdAgainst } from "../../local/simulate/honesty.ts";
import { type HostFault, SimulatedHost } from "../../local/simulate/host.ts";
import { sequence } from "../../local/simulate/random.ts";
import { type FleetRun, runFleet } from "../../local/simulate/run-fleet.ts";

/** One seed is one schedule of what goes wrong and when. `SCHEDULE=N npx vitest run test/lambdas/schedules.test.ts` runs the one again. */
const SEEDS =
  process.env.SCHEDULE === undefined
    ? Array.from({ length: 560 }, (_, index) => index + 1)
    : [Number(process.env.SCHEDULE)];
const GROUPS = 8;

const BAD: readonly HostFault[] = [
  { kind: "fails", step: "preflight", code: "diskTooFull", rolledBack: false },
  { kind: "fails", step: "backup", code: "backupFailed", rolledBack: false },
  { kind: "fails", step: "install", code: "maintainerScriptFailed", rolledBack: true },
  { kind: "fails", step: "install", code: "installFailed", rolledBack: false },
  { kind: "fails", step: "validate", code: "unhealthy", rolledBack: false },
  { kind: "hangs", step: "rehearse" },
  { kind: "hangs", step: "install" },
  { kind: "hangs", step: "commit" },
  { kind: "vanishes", step: "download" },
  { kind: "vanishes", step: "install" },
  { kind: "vanishes", step: "commit" },
  { kind: "gone", step: "preflight" },
  { kind: "gone", step: "backup" },
  { kind: "gone", step: "commit" },
  { kind: "garbage", step: "verify" },
  { kind: "garbage", step: "install" },
  { kind: "garbage", step: "commit" },
];
const BAKE_SECONDS = 120;

let deployment: Deployment;
beforeAll(() => {
  console.log = () => undefined;
  deployment = deployed();
});

describe("whatever becomes of events, calls and Lambdas", () => {
  test.each(Array.from({ length: GROUPS }, (_, group) => group))("schedules of group %i", async (group) => {
    const wrong: string[] = [];
    for (const seed of SEEDS.filter((seed) => seed % GROUPS === group)) {
      for (const one of await violations(seed)) wrong.push(`schedule ${seed}: ${one}; again: SCHEDULE=${seed}`);
    }
    expect(wrong).toEqual([]);
  });

  test("the schedules are what they are meant to be: each kind of trouble happens, and mostly all are committed all the same", async () => {
    const runs = await Promise.all(Array.from({ length: 40 }, (_, index) => play(index + 1)));
    const total = (of: (run: FleetRun) => ReadonlyMap<string, number>) =>
      runs.flatMap(({ run }) => [...of(run).values()]).reduce((sum, one) => sum + one, 0);
    expect(total(({ tally }) => tally.crashes)).toBeGreaterThan(40);
    expect(total(({ tally }) => tally.throttles)).toBeGreaterThan(100);
    expect(runs.reduce((sum, { run }) => sum + doubled(run), 0)).toBeGreaterThan(0);
    const outcomes = runs.flatMap(({ run }) => run.report?.hosts.map(({ outcome }) => outcome) ?? []);
    expect(outcomes.filter((one) => one === "committed").length).toBeGreaterThan(outcomes.length / 2);
  });
});

async function play(seed: number): Promise<{ run: FleetRun; hosts: readonly SimulatedHost[] }> {
  const fraction = sequence(seed * 7919);
  const upTo = (most: number) => Math.floor(fraction() * (most + 1));
  const count = seed % 40 === 0 ? 60 + upTo(50) : 2 + upTo(6);
  const hasBadHosts = fraction() < 0.4;
  const hosts = Array.from({ length: count }, (_, index) => {
    const fault = hasBadHosts && fraction() < 0.3 ? (BAD[upTo(BAD.length - 1)] ?? null) : null;
    return new SimulatedHost(
      `i-${(0x1000_0000 + index).toString(16)}`,
      `host-${String(index).padStart(3, "0")}`,
      seed + index,
      fault,
    );
  });
  const rates = {
    lost: fraction() * 0.6,
    doubled: fraction() * 0.6,
    late: fraction() * 0.6,
    early: fraction() * 0.6,
    throttled: fraction() * 0.15,
    crashed: fraction() * 0.2,
  };
  const waves = { canary: 1, steps: fraction() < 0.5 ? [1] : [0.5, 1], errorBudget: "100%", bakeSeconds: BAKE_SECONDS };
  const run = await runFleet({ deployment, hosts, seed, faults: randomFaults(rates, fraction), request: { waves } });
  return { run, hosts };
}

async function violations(seed: number): Promise<string[]> {
  const { run, hosts } = await play(seed).catch((error: Error) => ({ run: error, hosts: [] }));
  if (run instanceof Error) return [run.message];
  const { report } = run;
  if (report === undefined) return [`no report: ${run.status} ${run.error}: ${run.cause}`];
  const { missing, untrue, needlessDoubt } = holdAgainst(
    report,
    new Map(hosts.map((host) => [host.instanceId, host])),
    run.endedAtMs,
  );
  const twice = hosts.flatMap(({ instanceId, executions }) =>
    [...executions].filter(([, times]) => times > 1).map(([step, times]) => `${instanceId} did ${step} ${times} times`),
  );
  const bound = boundSeconds(hosts.length, report.waves.length);
  return [
    ...twice,
    ...missing.map((id) => `${id} is not accounted for`),
    ...untrue,
    ...needlessDoubt.map((id) => `${id} is in doubt without need`),
    ...run.unfinished.map((arn) => `${arn} has no end`),
    ...(run.seconds > bound ? [`it took ${run.seconds} s, its bound is ${bound} s`] : []),
    ...(doubled(run) > (run.tally.failures.get("dispatch") ?? 0)
      ? ["a command was sent again though no dispatch had failed"]
      : []),
  ];
}

/** Commands that were sent more than once. */
function doubled({ work }: FleetRun): number {
  const sent = work.map(({ document, request }) => `${document} ${request.attempt} ${request.instanceIds}`);
  return sent.length - new Set(sent).size;
}

/** Every wait has an end: for each command its delivery, its turns at their time-outs, slack, one slice and all retries around it. */
function boundSeconds(hosts: number, waves: number): number {
  const [delivery, slack, slice, retries, turns] = [600, 60, 900, 600, 3];
  const commands = Object.keys(COMMANDS).filter((name) => name !== "upload") as (keyof typeof COMMANDS)[];
  const perBatch = commands.reduce(
    (sum, name) => sum + delivery + turns * commandSeconds(name) + slack + slice + retries,
    0,
  );
  const batchesInTurn = Math.ceil(hosts / 50 / 20);
  return waves * (batchesInTurn * perBatch + BAKE_SECONDS + retries);
}
