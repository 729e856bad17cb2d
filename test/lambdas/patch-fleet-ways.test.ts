import { expect, test } from "vitest";
import { KEYS } from "../../contract/names.ts";
import { ROLLBACK_ATTEMPTS } from "../../contract/steps.ts";
import { definitionOf } from "../infra/assembly.ts";
import { ALICE, digestsAsked, gates, host, NGINX, opensLater, PROD, reported, three } from "./deciding.ts";
import { type Sequence, waysOf } from "./reached.ts";
import { type FleetScenario, runFleet, wire } from "./run-fleet.ts";
import { standing } from "./standing.ts";

const stack = standing();

/** Ways that any scenario has gone. What comes of each is looked at elsewhere. */
const gone = new Set<string>();
async function run(scenario: FleetScenario): Promise<void> {
  const { reached } = await runFleet(stack, scenario);
  for (const way of reached.of("PatchFleet")) gone.add(way);
}

/** A gate that is waited for and one that stops, a plan that is approved at a second look, rejected, or cannot be asked about. */
async function decidedUpon(): Promise<void> {
  let asked = 0;
  await run({ hosts: [host(1)], settings: gates({ calendars: ["patching"] }), before: opensLater(() => ++asked) });
  await run({ hosts: three, request: { windowMinutes: 59 } });
  const plan = reported(1, [NGINX]);
  for (const decision of ["approve", "reject"]) {
    let looks = 0;
    await run({
      ...plan,
      settings: PROD,
      entered: async (state, { decide }) => {
        if (state !== "Approval" || ++looks < 2) return;
        await decide(`approvals/run-1/${digestsAsked()[0]}/${ALICE}.json`, JSON.stringify({ decision }), false);
      },
    });
  }
  for (const broken of ["gate", "assess", "askapproval", "report", "notify", "plan"])
    await run({
      ...(broken === "askapproval" ? { ...plan, settings: PROD } : { hosts: [host(1)] }),
      before: (name) => {
        if (name === broken) throw new TypeError("a defect");
      },
    });
}

test("every way through PatchFleet has been gone", { timeout: 120_000 }, async () => {
  await run({ hosts: three });
  await decidedUpon();
  await run({ hosts: [host(1), { ...host(2), online: false }].slice(1) });
  for (const phase of ["prepare", "apply"] as const) {
    const twice = { hosts: [host(1)], request: { waves: { errorBudget: "100%" } } };
    await run({
      ...twice,
      before: (name, { command }) => {
        if (name === "dispatch" && command === phase) throw new TypeError("a defect");
      },
    });
  }
  let assessed = 0;
  await run({
    hosts: [host(1)],
    before: (name) => {
      if (name === "assess" && ++assessed === 2) throw new TypeError("a defect");
    },
  });
  const items = KEYS.waveItems("run-1", 0, "prepare");
  await run({ hosts: [host(1)], before: (name) => void (name === "gate" && wire.objects.set(items, "no json")) });
  const toApply = KEYS.waveItems("run-1", 0, "apply");
  await run({
    hosts: [host(1)],
    before: (name) => void (name === "gate" && wire.objects.has(toApply) && wire.objects.set(toApply, "no json")),
  });

  for (const broken of ["promote", "pool"])
    await run({
      hosts: three,
      before: (name) => {
        if (name === broken) throw new TypeError("a defect");
      },
    });

  await run({ hosts: [host(1, { preflight: "nothing" }), host(2)] });
  const unwell = [host(1), host(2, { check: "unhealthy", rollback: "ok" }), host(3)];
  const fails = [host(1), host(2, { install: "maintainerScriptFailed, undone", rollback: "nothing" }), host(3)];
  const pair = { canary: 2, errorBudget: 0 };
  await run({ hosts: unwell, request: { waves: pair } });
  for (const hosts of [unwell, fails]) await run({ hosts, request: { waves: { ...pair, onStop: "rollBackWave" } } });
  const broken = (task: string, of: (payload: Readonly<Record<string, unknown>>) => boolean): FleetScenario => ({
    hosts: three,
    before: (name, payload) => {
      if (name === task && of(payload)) throw new TypeError("a defect");
    },
  });
  await run(broken("assess", ({ phase }) => phase === "check"));
  await run(broken("dispatch", ({ command }) => command === "check"));
  const unreadable = (phase: "check" | "rollback"): NonNullable<FleetScenario["entered"]> => {
    const state = phase === "check" ? "Bake" : "AssessApply";
    return (entered) => void (entered === state && wire.objects.set(KEYS.waveItems("run-1", 0, phase), "no json"));
  };
  await run({ hosts: three, entered: unreadable("check") });
  await run({
    ...broken("dispatch", ({ command, attempt }) => command === "rollback" && attempt === ROLLBACK_ATTEMPTS.rollback),
    hosts: fails,
    request: { waves: { ...pair, onStop: "rollBackWave" } },
  });

  const [, machine] =
    stack
      .ofType("AWS::StepFunctions::StateMachine")
      .find(([, { Properties }]) => String(Properties.StateMachineName).endsWith("PatchFleet")) ?? [];
  if (machine === undefined) throw new Error("there is no PatchFleet");
  const all = waysOf(definitionOf(machine) as unknown as Sequence);
  expect(all.length).toBeGreaterThan(40);
  expect(all.filter((way) => !gone.has(way))).toEqual([]);
  // And nothing was taken for a way that the definition does not have.
  expect([...gone].filter((way) => !all.includes(way))).toEqual([]);
});
