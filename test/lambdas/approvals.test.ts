import { expect, test, vi } from "vitest";
import { DEFAULT_APPROVAL } from "../../contract/gates.ts";
import { ALICE, BAKED, BOB, digestsAsked, FIRST, host, NGINX, PROD, reported } from "./deciding.ts";
import { type FleetRun, type FleetScenario, runFleet } from "./run-fleet.ts";
import { standing } from "./standing.ts";

/** What people say between a wave's preparation and its change. */
const stack = standing();
const run = (scenario: FleetScenario) => runFleet(stack, scenario);
const outcomes = ({ report }: FleetRun) => report?.hosts.map(({ outcome }) => outcome);
const digestOf = () => digestsAsked()[0] ?? "";

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
    for (const digest of digestsAsked())
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
