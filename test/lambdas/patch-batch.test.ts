import { expect, test } from "vitest";
import { definitionOf } from "../infra/assembly.ts";
import type { FakeHost } from "./hosts.ts";
import { waysOf } from "./reached.ts";
import { type FleetScenario, runFleet } from "./run-fleet.ts";
import { standing } from "./standing.ts";

const stack = standing();

const hosts = (says: FakeHost["says"] = {}, count = 2): FakeHost[] =>
  Array.from({ length: count }, (_, n) => ({ instanceId: `i-0000000${n + 1}`, name: `web-0${n + 1}`, says }));
const breaks =
  (...commands: readonly string[]): NonNullable<FleetScenario["before"]> =>
  (name, { command }) => {
    if (name === "dispatch" && commands.includes(String(command))) throw new TypeError("a defect");
  };

/** A story for each way through the machine. */
const SCENARIOS: Readonly<Record<string, FleetScenario>> = {
  "all goes well, the canary is checked after its bake": { hosts: hosts() },
  "no event comes, every command is looked for": {
    hosts: hosts({ check: "unhealthy", rollback: "ok" }),
    events: "lost",
  },
  "nobody gets through what applies, nothing is to be undone": { hosts: hosts({ install: "blocked" }) },
  "nobody gets through what applies, everybody goes back": { hosts: hosts({ validate: "unhealthy", rollback: "ok" }) },
  "one host keeps the others waiting until their trial runs out": {
    hosts: hosts({}, 3).map((host, n) => (n === 2 ? { ...host, says: { install: "slow" } } : host)),
    settings: { AUTOPATCH_WAIT_SLICE_SECONDS: "3600" },
  },
  "preparing breaks": { hosts: hosts(), before: breaks("prepare") },
  "applying breaks": { hosts: hosts(), before: breaks("apply") },
  "committing breaks": { hosts: hosts(), before: breaks("commit") },
  "checking breaks": { hosts: hosts(), before: breaks("check") },
  "the way back breaks": { hosts: hosts({ validate: "unhealthy" }), before: breaks("rollback") },
  "a wave that was stopped goes back as a whole": {
    hosts: hosts({ rollback: "ok" }, 4).map((host, n) => (n < 1 ? { ...host, says: { check: "noAnswer" } } : host)),
    request: { waves: { canary: 3, onStop: "rollBackWave", errorBudget: 0 } },
  },
};

test("every state and every branch of PatchBatch is reached", { timeout: 60_000 }, async () => {
  const machine = stack
    .ofType("AWS::StepFunctions::StateMachine")
    .find(([, { Properties }]) => String(Properties.StateMachineName).endsWith("-PatchBatch"));
  const all = waysOf(definitionOf((machine as NonNullable<typeof machine>)[1]) as never);
  const reached = new Set<string>();

  for (const scenario of Object.values(SCENARIOS)) {
    const run = await runFleet(stack, scenario);
    for (const way of run.reached.of("PatchBatch")) reached.add(way);
  }

  expect(all.length).toBeGreaterThan(20);
  expect(all.filter((way) => !reached.has(way))).toEqual([]);
  // And nothing was taken for a way that the definition does not have.
  expect([...reached].filter((way) => !all.includes(way))).toEqual([]);
});
