import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { DEFAULT_APPROVAL, DEFAULT_GATES } from "../../contract/gates.ts";
import { KEYS } from "../../contract/names.ts";
import { ROLLBACK_ATTEMPTS } from "../../contract/steps.ts";
import { definitionOf, synthesised } from "../infra/assembly.ts";
import type { FakeHost } from "./hosts.ts";
import { planReport } from "./plan-report.ts";
import { type FleetScenario, openWire, runFleet, wire } from "./run-fleet.ts";
import { WireError } from "./wire.ts";

/** Borders of a run: before each phase, between preparing and changing, between runs. Every way through PatchFleet is gone here. */
const stack = synthesised({ waitSliceSeconds: 60 });
let close: () => Promise<void>;
beforeAll(async () => {
  close = await openWire();
  vi.spyOn(console, "log").mockReturnValue();
});
afterAll(async () => {
  await close();
  vi.restoreAllMocks();
  vi.useRealTimers();
  stack.remove();
});

const ALICE = "AROAEXAMPLE:alice@example.com";
const BOB = "AROAEXAMPLE:bob@example.com";
const host = (n: number, says: FakeHost["says"] = {}): FakeHost => ({
  instanceId: `i-0000000${n}`,
  name: `web-0${n}`,
  says: says ?? {},
});
const three = [1, 2, 3].map((n) => host(n));
const FIRST = ["prepare 1", "apply 1", "commit 1"];
/** Where waves follow, the canary is asked once more after the bake. */
const BAKED = [...FIRST, "check 1"];
const gates = (over: object) => ({ AUTOPATCH_GATES: JSON.stringify({ ...DEFAULT_GATES, lookSeconds: 5, ...over }) });

/** Ways that any scenario of this file has gone. */
const gone = new Set<string>();
async function run(scenario: FleetScenario) {
  const ended = await runFleet(stack, scenario);
  for (const way of ended.ways) gone.add(way);
  return ended;
}
const outcomes = (ended: Awaited<ReturnType<typeof run>>) => ended.report?.hosts.map(({ outcome }) => outcome);

test("a freeze ends the run before the next phase, names who froze it, and leaves every host committed or untouched", async () => {
  const ended = await run({
    hosts: three,
    entered: (state, { decide }) =>
      state === "Bake" ? decide(`freeze/default/${ALICE}.json`, "incident 4711") : undefined,
  });

  expect(ended.story).toEqual(BAKED);
  expect([ended.status, ended.error]).toEqual(["FAILED", "RunStopped"]);
  expect(ended.cause).toMatch(
    /^Stopped before wave 1: frozen by AROAEXAMPLE:alice@example\.com at \S+: incident 4711\. 1 of 3 hosts committed, 2 left unchanged\.$/,
  );
  expect(outcomes(ended)).toEqual(["committed", "unchanged", "unchanged"]);
  expect(ended.report?.waves[1]?.verdicts).toMatchObject([
    { before: true, phase: "prepare", decision: "stop", by: ALICE },
  ]);
});

test("a stop that comes while a wave prepares lets nothing of it be changed", async () => {
  const ended = await run({
    hosts: three,
    entered: (state, { decide }) =>
      state === "Prepare" ? decide(`stop/run-1/${BOB}.json`, '{"reason":"wrong day"}') : undefined,
  });

  expect(ended.story).toEqual(["prepare 1"]);
  expect(ended.cause).toBe(
    "Stopped before canary: stopped by AROAEXAMPLE:bob@example.com: wrong day. 3 of 3 hosts left unchanged.",
  );
});

test("a run that was stopped is resumed by another: only its hosts that are not committed, and no canary again", async () => {
  await run({
    hosts: three,
    entered: (state, { decide }) => (state === "Bake" ? decide(`stop/run-1/${BOB}.json`, "lunch") : undefined),
  });

  const ended = await run({ hosts: three, after: "an earlier run", name: "run-2", request: { resume: "run-1" } });

  expect(ended.story).toEqual(["prepare 23", "apply 23", "commit 23"]);
  expect(ended.report).toMatchObject({ outcome: "succeeded", resumes: "run-1", waves: [{ name: "wave 1", hosts: 2 }] });
});

test("without a healthy canary behind it, a resumed run begins with one", async () => {
  await run({
    hosts: three,
    entered: (state, { decide }) => (state === "Prepare" ? decide(`stop/run-1/${BOB}.json`, "") : undefined),
  });

  const ended = await run({ hosts: three, after: "an earlier run", name: "run-2", request: { resume: "run-1" } });

  expect(ended.story).toEqual([...BAKED, "prepare 23", "apply 23", "commit 23"]);
});

test("a canary that was not well after its bake proves nothing: a resumed run begins with another", async () => {
  const unwell = host(1, { check: "unhealthy", rollback: "ok" });
  const stopped = await run({ hosts: [unwell, host(2), host(3)], request: { waves: { errorBudget: 0 } } });
  expect(stopped.story).toEqual([...BAKED, "rollback 1"]);

  const ended = await run({ hosts: three, after: "an earlier run", name: "run-2", request: { resume: "run-1" } });

  expect(ended.story.slice(0, BAKED.length)).toEqual(BAKED);
});

test("what fails after the bake counts against the run too", async () => {
  const unwell = host(2, { check: "unhealthy", rollback: "ok" });
  const fails = host(4, { install: "maintainerScriptFailed, undone", rollback: "nothing" });
  const waves = { canary: 1, steps: [0.5, 1], errorBudget: "100%", runErrorBudget: "1" };
  const ended = await run({ hosts: [host(1), unwell, host(3), fails], request: { waves } });

  expect(ended.cause).toMatch(/2 of 4 hosts of the run failed \(budget 1\)/);
});

test("a closed calendar is waited for, and an open one lets the run go on", async () => {
  let asked = 0;
  const ended = await run({
    hosts: [host(1)],
    settings: gates({ calendars: ["patching"] }),
    before: () =>
      void wire.calls.set("GetCalendarState", () => ({
        State: ++asked === 1 ? "CLOSED" : "OPEN",
        NextTransitionTime: "2026-01-02T06:00:00Z",
      })),
  });

  expect([asked, ended.status, outcomes(ended)]).toEqual([3, "SUCCEEDED", ["committed"]]);
});

test("what cannot be asked counts as closed, and patience ends", async () => {
  const ended = await run({
    hosts: [host(1)],
    settings: gates({ alarms: ["api-5xx"], waitMinutes: 0 }),
    before: () =>
      void wire.calls.set("DescribeAlarms", () => {
        throw new WireError("AccessDenied");
      }),
  });

  expect(ended.story).toEqual([]);
  expect(ended.cause).toMatch(
    /^Stopped before canary: alarms could not be asked: AccessDenied: .*; waited 0 min for it\. 1 of 1 host/,
  );
});

test("no phase begins that would not end within the window", async () => {
  const ended = await run({ hosts: three, request: { windowMinutes: 59 } });

  expect(ended.story).toEqual([]);
  expect(ended.cause).toMatch(
    /^Stopped before canary: the maintenance window ends at \S+, and what comes next needs about 61 min\./,
  );
});

test("one run per fleet: a second one asks no host anything and says who has it until when; a lease that is over is nobody's", async () => {
  const lease = (until: Date) => ({
    [KEYS.lease("default")]: {
      fleet: "default",
      runId: "run-0",
      takenAt: new Date().toISOString(),
      until: until.toISOString(),
    },
  });
  const until = new Date(Date.now() + 3_600_000);

  const busy = await run({ hosts: three, objects: lease(until) });

  expect([busy.story, busy.error]).toEqual([[], "RunFailed"]);
  expect(busy.cause).toContain(
    `(FleetBusy: fleet default is being worked on by run run-0, at most until ${until.toISOString()}`,
  );
  expect(wire.json(KEYS.lease("default"))).toMatchObject({ runId: "run-0", until: until.toISOString() });

  const ended = await run({ hosts: [host(1)], objects: lease(new Date(Date.now() - 1_000)) });

  expect(ended.status).toBe("SUCCEEDED");
  const left = wire.json(KEYS.lease("default")) as { runId: string; until: string };
  expect([left.runId, new Date(left.until) <= new Date()]).toEqual(["run-1", true]);
});

/** Hosts whose reports lie in the bucket, as approval wants to read them. */
const reported = (n: number, packages: Parameters<typeof planReport>[1]) => planReport(host(n), packages);
const PROD = { AUTOPATCH_ENVIRONMENT: "prod" };
const NGINX = { name: "nginx", version: "1.22.1-9+deb12u3", critical: true };
const digestOf = () => /approvals\/([0-9a-f]{64})\/request/.exec([...wire.objects.keys()].join("\n"))?.[1] ?? "";

test("what people approve is carried out, and who and when is kept", async () => {
  const { hosts, objects } = reported(1, [NGINX]);
  const ended = await run({
    hosts,
    objects,
    settings: PROD,
    entered: async (state, { decide }) => {
      if (state !== "Approval") return;
      await vi.waitFor(() => expect(digestOf()).not.toBe(""));
      await decide(`approvals/run-1/${digestOf()}/${ALICE}.json`, '{"decision":"approve","reason":"read it"}');
    },
  });

  expect(ended.story).toEqual(FIRST);
  expect(ended.report?.approvals).toMatchObject([
    { verdict: "approved", wave: 0, decisions: [{ by: ALICE, decision: "approve", reason: "read it" }] },
  ]);
  const [asked] = ended.published;
  expect(asked?.Subject).toBe("AutoPatch default: approve canary? 1 changes, 1 critical, 1 hosts");
  expect(asked?.Message).toContain("nginx:amd64 1.0-1 -> 1.22.1-9+deb12u3 (critical, security; 1 host)");
  expect(asked?.Message).toContain(`s3://decisions/approvals/run-1/${digestOf()}/$(aws sts get-caller-identity`);
});

test("a rejection stops the run before anything is changed, whoever else approves", async () => {
  const { hosts, objects } = reported(1, [NGINX]);
  const ended = await run({
    hosts,
    objects,
    entered: async (state, { decide }) => {
      if (state !== "Approval") return;
      await vi.waitFor(() => expect(digestOf()).not.toBe(""));
      await decide(`approvals/run-1/${digestOf()}/${BOB}.json`, '{"decision":"reject","reason":"not today"}');
    },
  });

  expect(ended.story).toEqual(["prepare 1"]);
  expect(ended.cause).toBe(
    "Stopped before canary: rejected by AROAEXAMPLE:bob@example.com (not today). 1 of 1 host left unchanged.",
  );
});

test("two people must be different, and a decision whose event was lost is found when the slice ends", async () => {
  const { hosts, objects } = reported(1, [NGINX]);
  let looks = 0;
  const ended = await run({
    hosts,
    objects,
    settings: { ...PROD, AUTOPATCH_APPROVAL: JSON.stringify({ ...DEFAULT_APPROVAL, people: 2 }) },
    entered: async (state, { decide }) => {
      if (state !== "Approval") return;
      const [by, told] = ++looks === 1 ? [ALICE, true] : [BOB, false];
      await decide(`approvals/run-1/${digestOf()}/${by}.json`, '{"decision":"approve"}', told);
    },
  });

  expect([ended.status, outcomes(ended)]).toEqual(["SUCCEEDED", ["committed"]]);
  expect(ended.report?.approvals?.[0]?.decisions.map(({ by }) => by)).toEqual([ALICE, BOB]);
});

test("nobody's approval in time is none", async () => {
  const { hosts, objects } = reported(1, [NGINX]);
  vi.useFakeTimers({ toFake: ["Date"] });
  let looks = 0;
  const ended = await run({
    hosts,
    objects,
    settings: PROD,
    entered: (state) => {
      // At its second look, when nobody has said anything within a slice.
      if (state === "Approval" && ++looks === 2) vi.setSystemTime(Date.now() + 2 * 86_400_000);
    },
  });
  vi.useRealTimers();

  expect(ended.story).toEqual(["prepare 1"]);
  expect(ended.cause).toMatch(/^Stopped before canary: nobody approved it until \S+\. /);
});

test("a later wave that plans nothing new is not asked about again; one that plans more is, or stops by policy", async () => {
  const one = reported(1, [NGINX]);
  const same = reported(2, [NGINX]);
  const more = reported(2, [NGINX, { name: "openssl", version: "3.0.20-1", critical: false }]);
  const approveAll: FleetScenario["entered"] = async (state, { decide }) => {
    if (state !== "Approval") return;
    await vi.waitFor(() => expect(digestOf()).not.toBe(""));
    for (const digest of [...wire.objects.keys()].flatMap(
      (key) => /approvals\/([0-9a-f]{64})\/request/.exec(key)?.[1] ?? [],
    ))
      await decide(`approvals/run-1/${digest}/${ALICE}.json`, '{"decision":"approve"}');
  };
  const scenario = (second: typeof one, over: object = {}): FleetScenario => ({
    hosts: [...one.hosts, ...second.hosts],
    objects: { ...one.objects, ...second.objects },
    settings: { ...PROD, AUTOPATCH_APPROVAL: JSON.stringify({ ...DEFAULT_APPROVAL, ...over }) },
    entered: approveAll,
  });

  const covered = await run(scenario(same));
  expect([covered.status, covered.report?.approvals?.length]).toEqual(["SUCCEEDED", 1]);

  const asked = await run(scenario(more));
  expect([asked.status, asked.report?.approvals?.map(({ wave }) => wave).sort()]).toEqual(["SUCCEEDED", [0, 1]]);

  const stopped = await run(scenario(more, { whenPlanGrows: "stop" }));
  expect(stopped.story).toEqual([...BAKED, "prepare 2"]);
  expect(stopped.cause).toContain("1 changes go beyond what was approved");
});

test("a plan that nobody can read is not put before people", async () => {
  const ended = await run({ hosts: [host(1)], settings: PROD });

  expect(ended.story).toEqual(["prepare 1"]);
  expect(ended.cause).toMatch(/^Stopped after canary: nobody can say what would be approved/);
});

test("a dry run asks nobody", async () => {
  const ended = await run({ hosts: [host(1)], settings: PROD, request: { dryRun: true } });

  expect([ended.status, outcomes(ended)]).toEqual(["SUCCEEDED", ["planned"]]);
});

test.each(["gate", "assess", "ask-approval", "report", "notify", "plan"])(
  "a defect of %s is reported, or said",
  async (broken) => {
    const asked = broken === "ask-approval" ? { ...reported(1, [NGINX]), settings: PROD } : { hosts: [host(1)] };
    const ended = await run({
      ...asked,
      before: (name) => {
        if (name === broken.replaceAll("-", "")) throw new TypeError("a defect");
      },
    });

    const unreported = broken === "report" || broken === "notify";
    expect([ended.status, ended.error]).toEqual(["FAILED", unreported ? "RunUnreported" : "RunFailed"]);
  },
);

test("every way through PatchFleet has been gone", async () => {
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
});

interface Sequence {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}
interface State {
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly { readonly Next: string }[];
  readonly Catch?: readonly { readonly Next: string }[];
  readonly ItemProcessor?: Sequence;
}

/** Every way of a definition from one state to another, those inside a Map too. */
function waysOf({ StartAt, States }: Sequence): string[] {
  const ways = Object.entries(States).flatMap(([from, { Next, Default, Choices = [], Catch = [], ItemProcessor }]) => [
    ...[Next, Default, ...[...Choices, ...Catch].map((one) => one.Next)].flatMap((to) =>
      to === undefined ? [] : [`${from} -> ${to}`],
    ),
    ...(ItemProcessor === undefined ? [] : waysOf(ItemProcessor)),
  ]);
  return [...new Set([`start -> ${StartAt}`, ...ways])];
}
