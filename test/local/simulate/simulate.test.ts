import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { RunRequest } from "../../../contract/run.ts";
import { aimsOf } from "../../../local/simulate/aims.ts";
import { deployed } from "../../../local/simulate/deploy.ts";
import { randomFaults } from "../../../local/simulate/faults.ts";
import { FLEET_FAULTS, simulatedFleet } from "../../../local/simulate/fleet.ts";
import { holdAgainst } from "../../../local/simulate/honesty.ts";
import { type HostFault, SimulatedHost } from "../../../local/simulate/host.ts";
import { knownFleet } from "../../../local/simulate/known-fleet.ts";
import { runNaive } from "../../../local/simulate/naive.ts";
import { parseSimulateOptions } from "../../../local/simulate/options.ts";
import { DEFAULT_QUOTAS } from "../../../local/simulate/quotas.ts";
import { sequence } from "../../../local/simulate/random.ts";
import { runFleet } from "../../../local/simulate/run-fleet.ts";
import { VirtualClock } from "../../../local/simulate/virtual-clock.ts";

const deployment = deployed({ waves: { errorBudget: "100%" } });

beforeEach(() => {
  vi.spyOn(console, "log").mockReturnValue();
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
});
afterEach(() => vi.restoreAllMocks());

const run = (hosts: readonly SimulatedHost[], request: RunRequest = {}, isKnown = true) =>
  runFleet({
    deployment,
    hosts,
    seed: 1,
    request,
    objects: isKnown ? knownFleet("default", hosts, new VirtualClock().millis) : {},
  });
const byId = (hosts: readonly SimulatedHost[]) => new Map(hosts.map((host) => [host.instanceId, host]));

describe("a fleet of 300 hosts", () => {
  test("is patched with far fewer calls than polling each host takes, and comes out the same each time", async () => {
    const [one, other] = [await run(simulatedFleet(300, 1, false)), await run(simulatedFleet(300, 1, false))];

    expect(one.report?.outcome).toBe("succeeded");
    expect([one.seconds, one.tally]).toEqual([other.seconds, other.tally]);
    const hosts = byId(simulatedFleet(300, 1, false));
    const waves = [[...hosts.keys()]];
    const naive = runNaive(hosts, waves, { quotas: DEFAULT_QUOTAS, bakeSeconds: 0, seed: 1 });
    expect(one.tally.transitions * 50).toBeLessThan(naive.tally.transitions);
    expect(one.tally.callsOf("SSM") * 50).toBeLessThan(naive.tally.callsOf("SSM"));
  });

  test("costs a call a host more the first time, when Systems Manager knows none of them", async () => {
    const known = await run(simulatedFleet(300, 1, false));
    const first = await run(simulatedFleet(300, 1, false), {}, false);

    expect([known, first].map(({ tally }) => tally.calls.get("SSM.PutComplianceItems") ?? 0)).toEqual([0, 300]);
  });

  test("with everything going wrong, every host is accounted for and nothing is said that is not so", async () => {
    const hosts = simulatedFleet(300, 7, true);
    const faults = randomFaults(FLEET_FAULTS, sequence(8));
    const { report, endedAtMs, unfinished } = await runFleet({ deployment, hosts, seed: 7, faults });

    expect(report).toBeDefined();
    const { missing, untrue, needlessDoubt } = holdAgainst(
      report as NonNullable<typeof report>,
      byId(hosts),
      endedAtMs,
    );
    expect({ missing, untrue, needlessDoubt, unfinished }).toEqual({
      missing: [],
      untrue: [],
      needlessDoubt: [],
      unfinished: [],
    });
  });
});

/** Sixty hosts, so that the wave after the canary has two batches; one of them has the fault. */
const sixty = (fault: HostFault) =>
  Array.from(
    { length: 60 },
    (_, n) => new SimulatedHost(`i-${(0x1000_0000 + n).toString(16)}`, `host-${n}`, n, n === 30 ? fault : null),
  );

test.each<[string, HostFault]>([
  ["vanishes in its install", { kind: "vanishes", step: "install" }],
  ["hangs in its install", { kind: "hangs", step: "install" }],
])("nobody goes back because one host %s", async (_what, fault) => {
  const hosts = sixty(fault);
  const { report, endedAtMs } = await run(hosts, { waves: { steps: [1] } });

  const told = holdAgainst(report as NonNullable<typeof report>, byId(hosts), endedAtMs);
  expect(told.outcomes.committed).toBe(59);
  expect(told.putBackForOthers).toEqual([]);
});

test("an aim is met up to its bound and missed beyond it", () => {
  const figures = { hosts: 100, transitions: 25, ssmCalls: 21, dollars: 0.001, seconds: 160, chainSeconds: 100 };
  expect(aimsOf(figures).map(({ isMet }) => isMet)).toEqual([true, false, true, false]);
});

test.each([
  [["--hosts", "many"], "--hosts many: a whole number from 1 to 1000000, e.g. --hosts 1"],
  [["--region", "eu-west-2"], "--region eu-west-2: "],
  [["--quota", "SSM.SendComand=5"], "--quota SSM.SendComand=5: SSM.SendComand has no quota; "],
  [["--host", "5"], "Unknown option '--host'"],
])("%s is refused with the way out", (args, message) => {
  expect(() => parseSimulateOptions(args)).toThrow(message);
});
