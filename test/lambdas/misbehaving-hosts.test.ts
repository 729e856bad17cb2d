import { describe, expect, test, vi } from "vitest";
import { FAILURES, type FailureCode } from "../../contract/failures.ts";
import type { HostOutcome } from "../../contract/run.ts";
import type { CommandName, StepName } from "../../contract/steps.ts";
import type { FakeHost } from "./hosts.ts";
import { type FleetScenario, runFleet } from "./run-fleet.ts";
import { standing } from "./standing.ts";

const stack = standing();

type Says = NonNullable<FakeHost["says"]>;
const host = (n: number, says: Says = {}): FakeHost => ({ instanceId: `i-0000000${n}`, name: `web-0${n}`, says });
/** A canary, then four hosts of which half may fail; the third misbehaves. */
const third = (says: Says) => [1, 2, 3, 4, 5].map((n) => host(n, n === 3 ? says : {}));
/** A fleet of one wave of three, of which the third misbehaves, and one of two after it. */
const early = (says: Says): FleetScenario => ({
  hosts: third(says),
  request: { waves: { canary: 3, errorBudget: 0.4, bakeSeconds: 3 } },
});

/** Lets the deadline of a command pass once somebody has looked for its end in vain. */
function pastDeadline(wave: number, ...commands: readonly CommandName[]): NonNullable<FleetScenario["before"]> {
  vi.useFakeTimers({ toFake: ["Date"] });
  const looks = new Map<string, number>();
  return (name, { command, item }) => {
    if (name !== "dispatch" || (item as { wave: number }).wave !== wave) return;
    if (!commands.includes(command as CommandName)) return;
    const look = (looks.get(String(command)) ?? 0) + 1;
    looks.set(String(command), look);
    if (look === 3) vi.setSystemTime(Date.now() + 12 * 3_600_000);
  };
}

/** Lets so many minutes pass at a look for the end of an apply that somebody still keeps waiting. */
function minutesGoBy(minutes: Readonly<Record<number, number>>): NonNullable<FleetScenario["before"]> {
  vi.useFakeTimers({ toFake: ["Date"] });
  let looks = 0;
  return (name, { command, item }) => {
    if (name !== "dispatch" || command !== "apply" || (item as { wave: number }).wave !== 1) return;
    vi.setSystemTime(Date.now() + (minutes[++looks] ?? 0) * 60_000);
  };
}

/** How the third host ended, and what people are told to do about it. */
async function endOfThird(scenario: FleetScenario) {
  const run = await runFleet(stack, scenario);
  const { outcome, failure } = run.report?.hosts[2] ?? {};
  const others = run.report?.hosts.filter((_, n) => n !== 2).map((one) => one.outcome);
  const [{ Message = "" } = {}] = run.published;
  const told = Message.split("\n\n").find((part) => part.startsWith("web-03")) ?? "";
  return { run, outcome, step: failure?.step, code: failure?.code, message: failure?.message ?? "", others, told };
}
const COMMITTED = Array(4).fill("committed");

describe("before anything was changed", () => {
  test.each<[string, Says, StepName, FailureCode, HostOutcome]>([
    ["offline when its wave prepares", { preflight: "offline" }, "preflight", "undeliverable", "unchanged"],
    ["terminated before its wave prepares", { preflight: "gone" }, "preflight", "hostGone", "unchanged"],
    ["without its tag when its wave prepares", { preflight: "untagged" }, "preflight", "notEnrolled", "unchanged"],
    ["online, but deaf", { preflight: "deaf" }, "preflight", "notPickedUp", "unchanged"],
    ["stuck while it downloads", { download: "stuck" }, "download", "stepTimedOut", "unchanged"],
    ["killed while it downloads", { download: "killed" }, "download", "stepKilled", "unchanged"],
    ["answering garbage", { verify: "garbage" }, "verify", "resultUnreadable", "unchanged"],
    ["offline when its wave applies", { backup: "offline" }, "backup", "undeliverable", "unchanged"],
    ["terminated before its wave applies", { backup: "gone" }, "backup", "hostGone", "unchanged"],
    ["deaf when its wave applies", { backup: "deaf" }, "backup", "notPickedUp", "unchanged"],
  ])("a host that is %s ends as it was, and the others go on", async (_name, says, step, code, outcome) => {
    const end = await endOfThird({ hosts: third(says) });

    expect(end).toMatchObject({ step, code, outcome, others: COMMITTED });
    expect(end.told.toLowerCase()).toContain(`what now: ${FAILURES[code].wayOut.toLowerCase()}`);
    expect(end.run.story.join(" ")).not.toContain("rollback");
  });

  test.each<[string, Says, StepName, FailureCode]>([
    ["does not answer", { download: "silent" }, "preflight", "noAnswer"],
    ["is terminated", { download: "dies" }, "preflight", "noAnswer"],
  ])(
    "a host that %s while it prepares is waited for until the deadline, and is as it was",
    async (_name, says, step, code) => {
      const end = await endOfThird({ hosts: third(says), before: pastDeadline(1, "prepare") });

      expect(end).toMatchObject({ step, code, outcome: "unchanged", others: COMMITTED });
      expect(end.message).toMatch(/^no answer by \d{4}-.*; SSM says InProgress$/);
      expect(end.run.story).toContain("apply 245");
    },
  );

  test("hosts that are offline or unknown when the run is planned are left out, and that is said", async () => {
    const hosts = [host(1), { ...host(2), online: false }];
    const run = await runFleet(stack, { hosts, request: { instanceIds: ["i-00000001", "i-00000002", "i-0000000f"] } });

    expect(run.report?.leftOut.map(({ instanceId, reason }) => [instanceId, reason.split(":")[0]])).toEqual([
      ["i-00000002", "offline"],
      ["i-0000000f", "Systems Manager does not know it"],
    ]);
    expect(run.story).toEqual(["prepare 1", "apply 1", "commit 1"]);
  });
});

describe("while it is changed or on trial", () => {
  test.each<[string, Says, StepName, FailureCode]>([
    ["stuck in its install", { install: "stuck" }, "install", "installTimedOut"],
    ["killed in its install", { install: "killed" }, "install", "stepKilled"],
    ["killed in its backup", { backup: "killed" }, "backup", "stepKilled"],
    ["stuck in its checks", { validate: "stuck" }, "validate", "stepTimedOut"],
    ["stuck in its reboot", { reboot: "stuck" }, "reboot", "rebootFailed"],
    ["answering garbage", { install: "garbage" }, "install", "resultUnreadable"],
    ["answering half a line", { install: "cut" }, "install", "resultUnreadable"],
    ["answering far too much", { install: "flood" }, "install", "resultUnreadable"],
    ["answering for another run", { install: "otherRun" }, "install", "resultForeign"],
    ["answering for another attempt", { validate: "otherAttempt" }, "validate", "resultForeign"],
    ["answering for another host", { validate: "otherHost" }, "validate", "resultForeign"],
    ["offline when it is to commit", { commit: "offline" }, "commit", "undeliverable"],
    ["without its tag when it is to commit", { commit: "untagged" }, "commit", "notEnrolled"],
    ["deaf when it is to commit", { commit: "deaf" }, "commit", "notPickedUp"],
    ["stuck in its commit", { commit: "stuck" }, "commit", "stepTimedOut"],
  ])("a host that is %s is asked to go back; it is what its rollback says", async (_name, says, step, code) => {
    const back = await endOfThird({ hosts: third({ ...says, rollback: "ok" }) });
    const silent = await endOfThird({
      hosts: third({ ...says, rollback: "silent" }),
      before: pastDeadline(1, "rollback"),
    });

    expect(back).toMatchObject({ step, code, outcome: "rolledBack", others: COMMITTED });
    expect(silent).toMatchObject({ step, code, outcome: "inDoubt", others: COMMITTED });
    expect(silent.told).toContain("What now: Nobody saw where it stands.");
    expect(back.run.story.slice(-1)).toEqual(["rollback 3"]);
  });

  test("a host that falls silent does not keep its neighbours on trial until they go back", async () => {
    const hosts = third({ install: "silent", rollback: "ok" });
    const end = await endOfThird({ hosts, before: minutesGoBy({ 2: 30, 3: 30, 5: 720 }) });

    expect(end).toMatchObject({ code: "noAnswer", outcome: "rolledBack", others: COMMITTED });
    expect(end.run.story.slice(-3)).toEqual(["apply 2345", "commit 245", "rollback 3"]);
  });

  test("a host that is slower than its neighbours' trial lasts commits after them", async () => {
    const hosts = third({ install: "slow" }).map((one, n) => (n === 3 ? host(4, { validate: "unhealthy" }) : one));
    const end = await endOfThird({ hosts: hosts, before: minutesGoBy({ 2: 59 }) });

    expect(end).toMatchObject({ code: undefined, outcome: "committed" });
    expect(end.run.story.slice(-4)).toEqual(["apply 2345", "commit 25", "commit 3", "rollback 4"]);
    expect(end.run.report?.hosts.map(({ outcome }) => outcome)).toEqual([
      "committed",
      "committed",
      "committed",
      "inDoubt",
      "committed",
    ]);
  });

  test("a long answer is read in full, and the host is committed", async () => {
    const end = await endOfThird({ hosts: third({ install: "long" }) });

    expect(end).toMatchObject({ outcome: "committed", code: undefined });
    expect(end.run.wire.log.filter((call) => call === "GetCommandInvocation")).toHaveLength(1);
  });

  test("a host that is away for its reboot and comes back is waited for over several slices", async () => {
    const end = await endOfThird({ hosts: third({ install: "reboot", reboot: "late" }), events: "lost" });

    expect(end).toMatchObject({ outcome: "committed", code: undefined, others: COMMITTED });
    const looks = end.run.wire.log.filter((call) => call === "ListCommandInvocations").length;
    expect(looks).toBeGreaterThan(8);
  });

  test("a host that is terminated in its install is gone: nobody says that it was put back", async () => {
    const end = await endOfThird({ hosts: third({ install: "dies" }), before: pastDeadline(1, "apply") });

    expect(end).toMatchObject({ step: "rollback", code: "hostGone", outcome: "inDoubt", others: COMMITTED });
    expect(end.told).toContain(FAILURES.hostGone.wayOut.slice(1));
  });

  test("a host that is terminated on trial is gone before it can commit", async () => {
    const end = await endOfThird({ hosts: third({ commit: "gone" }) });

    expect(end).toMatchObject({ step: "commit", code: "hostGone", outcome: "inDoubt", others: COMMITTED });
    expect(end.run.report?.hosts[2]?.steps.map(({ step, outcome }) => [step, outcome]).slice(-2)).toEqual([
      ["commit", "failed"],
      ["rollback", "failed"],
    ]);
  });
});

describe("after the bake", () => {
  test.each<[string, Says, FailureCode, HostOutcome, string]>([
    [
      "healthy at first and sick minutes later",
      { check: "unhealthy", rollback: "ok" },
      "unhealthy",
      "rolledBack",
      "rollback 3",
    ],
    [
      "sick, and its way back fails",
      { check: "unhealthy", rollback: "rollbackIncomplete" },
      "unhealthy",
      "inDoubt",
      "rollback 3",
    ],
    ["terminated after its commit", { check: "gone" }, "hostGone", "inDoubt", "check 12"],
    ["offline after its commit", { check: "offline" }, "undeliverable", "inDoubt", "check 12"],
    ["stuck in its check", { check: "stuck" }, "stepTimedOut", "inDoubt", "check 123"],
  ])("a host that is %s counts against its wave before the next begins", async (_name, says, code, outcome, last) => {
    const within = await endOfThird(early(says));
    const beyond = await endOfThird({ ...early(says), request: { waves: { canary: 3, errorBudget: 0 } } });

    expect(within).toMatchObject({ step: "check", code, outcome, others: COMMITTED });
    expect(
      within.run.report?.waves[0]?.verdicts.map(({ phase, decision, failed }) => [phase, decision, failed]),
    ).toEqual([
      ["prepare", "continue", 0],
      ["apply", "continue", 0],
      ["check", "continue", 1],
    ]);
    expect(beyond).toMatchObject({ outcome, others: ["committed", "committed", "unchanged", "unchanged"] });
    expect([beyond.run.error, beyond.run.story.at(-1)]).toEqual(["RunStopped", last]);
    expect(beyond.run.cause).toContain("Stopped after canary: 1 of 3 hosts failed (budget 0).");
  });

  test("a host that committed is not taken back because an answer was lost", async () => {
    const { run, outcome } = await endOfThird(early({ check: "garbage", rollback: "ok" }));

    expect([outcome, run.story.filter((one) => one.startsWith("rollback"))]).toEqual(["inDoubt", []]);
  });
});

describe("a wave that stops the run", () => {
  const waves = { canary: 3, errorBudget: 0, bakeSeconds: 3 };
  const scenario = (says: Says, onStop: string, others: Says = { rollback: "ok" }): FleetScenario => ({
    hosts: third(says).map((one, n) => (n === 2 ? one : { ...one, says: others })),
    request: { waves: { ...waves, onStop } },
  });
  const sick: Says = { validate: "unhealthy", rollback: "ok" };

  test("keeps what committed unless it was asked to go back", async () => {
    const end = await endOfThird(scenario(sick, "keep"));

    expect(end.others).toEqual(["committed", "committed", "unchanged", "unchanged"]);
    expect(end.run.story).toEqual(["prepare 123", "apply 123", "commit 12", "rollback 3"]);
  });

  test("goes back as a whole where that was asked for, and the report says why", async () => {
    const { run, others, outcome } = await endOfThird(scenario(sick, "rollBackWave"));

    expect(run.story).toEqual(["prepare 123", "apply 123", "commit 12", "rollback 3", "rollback 12"]);
    expect([outcome, others]).toEqual(["rolledBack", ["rolledBack", "rolledBack", "unchanged", "unchanged"]]);
    expect(run.report?.hosts.slice(0, 3).map(({ because, failure }) => because ?? failure?.code)).toEqual([
      "its wave was stopped",
      "its wave was stopped",
      "unhealthy",
    ]);
    expect([run.error, run.cause]).toEqual([
      "RunStopped",
      "Stopped after canary: 1 of 3 hosts failed (budget 0). 3 of 5 hosts rolled back, 2 left unchanged.",
    ]);
    expect(run.published[0]?.Message).toContain("web-01 (i-00000001): rolled back\n  its wave was stopped\n");
  });

  test("goes back as a whole when a host fails only after the bake", async () => {
    const { run, others } = await endOfThird(scenario({ check: "unhealthy", rollback: "ok" }, "rollBackWave"));

    expect(run.story.slice(-3)).toEqual(["check 123", "rollback 3", "rollback 12"]);
    expect(others).toEqual(["rolledBack", "rolledBack", "unchanged", "unchanged"]);
  });

  test("says of a host that refuses to go back that it stays, and why", async () => {
    const { run, others } = await endOfThird(scenario(sick, "rollBackWave", { rollback: "blocked" }));

    expect(others).toEqual(["committed", "committed", "unchanged", "unchanged"]);
    expect(run.report?.hosts[0]?.because).toBe("its wave was stopped, but it did not go back: apt is busy");
  });

  test("is in doubt where the way back brought no answer", async () => {
    const { others } = await endOfThird(scenario(sick, "rollBackWave", { rollback: "offline" }));

    expect(others).toEqual(["inDoubt", "inDoubt", "unchanged", "unchanged"]);
  });
});
