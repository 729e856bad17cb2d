import { describe, expect, test } from "vitest";
import { REQUEST_PARAMETER } from "../../contract/names.ts";
import { decodeRequest } from "../../contract/request.ts";
import type { StepName } from "../../contract/steps.ts";
import type { FakeHost } from "./hosts.ts";
import { type FleetScenario, runFleet } from "./run-fleet.ts";
import { standing } from "./standing.ts";
import { type Wire, WireError } from "./wire.ts";

const stack = standing({}, 1);

const five: readonly FakeHost[] = [1, 2, 3, 4, 5].map((n) => ({ instanceId: `i-0000000${n}`, name: `web-0${n}` }));
const CANARY = ["prepare 1", "apply 1", "commit 1", "check 1"];

/** What a call of Systems Manager ends with, instead of what the hosts would say; `undefined` lets it through. */
type Refuses = (input: Readonly<Record<string, unknown>>) => WireError | undefined;
const refusing =
  (name: string, refuses: Refuses): NonNullable<FleetScenario["arrange"]> =>
  (wire) => {
    const answer = wire.calls.get(name);
    wire.calls.set(name, (input) => {
      const error = refuses(input);
      if (error !== undefined) throw error;
      return answer?.(input);
    });
  };

/** The steps that a SendCommand to the four hosts after the canary asks for; none for the canary's. */
function stepsAsked(input: Readonly<Record<string, unknown>>): readonly StepName[] {
  if ((input.InstanceIds as string[]).includes("i-00000001")) return [];
  const [text = ""] = (input.Parameters as Record<string, string[]>)[REQUEST_PARAMETER] ?? [];
  return decodeRequest(text).steps;
}
const whenAsked =
  (step: StepName, error: () => WireError): Refuses =>
  (input) =>
    stepsAsked(input).includes(step) ? error() : undefined;
const throttled = () => new WireError("ThrottlingException");

async function run(scenario: Partial<FleetScenario>) {
  const ended = await runFleet(stack, { hosts: five, ...scenario });
  const hosts = ended.report?.hosts.map(({ outcome, failure }) => `${outcome} ${failure?.step} ${failure?.code}`) ?? [];
  const wave = [...new Set(hosts.slice(1))];
  return { ...ended, canary: ended.report?.hosts[0]?.outcome, wave, message: ended.report?.hosts[1]?.failure?.message };
}

/** Refuses the first calls of a kind, and no more after them. */
function atFirst(count: number): (error: WireError) => WireError | undefined {
  let left = count;
  return (error) => (left-- > 0 ? error : undefined);
}

describe("Systems Manager", { timeout: 60_000 }, () => {
  test("throttles for a while: every command is sent once, and the fleet is patched", async () => {
    const [sends, looks] = [atFirst(5), atFirst(5)];
    const ended = await run({
      arrange: (wire) => {
        refusing("SendCommand", () => sends(throttled()))(wire);
        refusing("ListCommandInvocations", () => looks(throttled()))(wire);
      },
    });

    expect([ended.status, ended.report?.outcome]).toEqual(["SUCCEEDED", "succeeded"]);
    expect(ended.story).toEqual([...CANARY, "prepare 2345", "apply 2345", "commit 2345"]);
  });

  test("takes no command any more: nobody got it, nobody is said to be changed", async () => {
    const ended = await run({ arrange: refusing("SendCommand", whenAsked("backup", throttled)) });

    expect([ended.canary, ended.wave]).toEqual(["committed", ["unchanged backup sendRefused"]]);
    expect([ended.error, ended.message]).toEqual([
      "RunStopped",
      "SSM took the command for no host, and the batch gave up",
    ]);
    // Nobody knows that for sure while it is going on: they were asked to go back.
    expect(ended.story).toEqual([...CANARY, "prepare 2345", "rollback 2345"]);
  });

  test("may have taken a command before it refused it: the hosts are in doubt", async () => {
    let sends = 0;
    const ended = await run({
      arrange: refusing("SendCommand", (input) => {
        if (!stepsAsked(input).includes("backup")) return undefined;
        return sends++ === 0 ? new WireError("InternalServerError", 500) : throttled();
      }),
    });

    expect([ended.canary, ended.wave]).toEqual(["committed", ["inDoubt backup noAnswer"]]);
    expect(ended.message).toBe(
      "the command was about to be sent when the batch broke: whether it went out is not known",
    );
  });

  test("does not say any more what came of a command: the hosts are in doubt, and asked to go back", async () => {
    const ended = await run({
      arrange: (wire) => {
        let applied = false;
        refusing("SendCommand", (input) => {
          applied ||= stepsAsked(input).includes("backup");
          return undefined;
        })(wire);
        refusing("ListCommandInvocations", () => (applied ? throttled() : undefined))(wire);
      },
    });

    expect([ended.canary, ended.wave]).toEqual(["committed", ["inDoubt backup noAnswer"]]);
    expect(ended.message).toMatch(
      /^command command-\d+ was sent, but the batch broke before its results were collected$/,
    );
    expect(ended.story.slice(-2)).toEqual(["apply 2345", "rollback 2345"]);
  });

  test("denies the commit: it is not tried again, and every host on trial goes back", async () => {
    const denied = whenAsked("commit", () => new WireError("AccessDeniedException"));
    const back = five.map((host) => ({ ...host, says: { rollback: "ok" as const } }));
    const ended = await run({ hosts: back, arrange: refusing("SendCommand", denied) });

    expect([ended.canary, ended.wave]).toEqual(["committed", ["rolledBack commit sendRefused"]]);
    expect(ended.story.slice(-2)).toEqual(["apply 2345", "rollback 2345"]);
    // The canary's four, prepare, apply, one commit that was denied, rollback.
    expect(ended.wire.log.filter((call) => call === "SendCommand")).toHaveLength(8);
  });

  test("denies everything from the commit on: hosts on trial are in doubt, and go back by themselves", async () => {
    const denied: Refuses = (input) =>
      stepsAsked(input).some((step) => step === "commit" || step === "rollback")
        ? new WireError("AccessDeniedException")
        : undefined;
    const ended = await run({ arrange: refusing("SendCommand", denied) });

    expect([ended.canary, ended.wave]).toEqual(["committed", ["inDoubt commit sendRefused"]]);
  });
});

describe("S3", { timeout: 60_000 }, () => {
  const refusingObjects =
    (code: string, which: (method: string, key: string) => boolean) =>
    (wire: Wire): void => {
      wire.refuseObject = (method, key) => (which(method, key) ? code : undefined);
    };

  test("throttles for a while: the fleet is patched", async () => {
    let left = 5;
    const ended = await run({ arrange: refusingObjects("SlowDown", (method) => method === "PUT" && left-- > 0) });

    expect([ended.status, ended.report?.outcome]).toEqual(["SUCCEEDED", "succeeded"]);
    expect(ended.story).toEqual([...CANARY, "prepare 2345", "apply 2345", "commit 2345"]);
  });

  test("does not take what is to be sent: nothing is sent, and the wave is as it was", async () => {
    const noted = (method: string, key: string) =>
      method === "PUT" && key.startsWith("runs/run-1/waves/1/sent/0/apply");
    const ended = await run({ arrange: refusingObjects("AccessDenied", noted) });

    expect([ended.error, ended.canary, ended.wave]).toEqual([
      "RunStopped",
      "committed",
      ["unchanged undefined undefined"],
    ]);
    expect(ended.story).not.toContain("apply 2345");
  });

  test("does not take what came of a command: the hosts are in doubt, and asked to go back", async () => {
    const results = (method: string, key: string) =>
      method === "PUT" && key.startsWith("runs/run-1/waves/1/results/0/apply");
    const back = five.map((host) => ({ ...host, says: { rollback: "ok" as const } }));
    const seen = await run({ hosts: back, arrange: refusingObjects("AccessDenied", results) });
    const unseen = await run({ arrange: refusingObjects("AccessDenied", results) });

    expect([seen.canary, seen.wave]).toEqual(["committed", ["rolledBack backup noAnswer"]]);
    expect([unseen.canary, unseen.wave]).toEqual(["committed", ["inDoubt backup noAnswer"]]);
    expect(unseen.story.slice(-2)).toEqual(["apply 2345", "rollback 2345"]);
  });

  test("is denied altogether: nothing is sent, and the run does not look like one that went well", async () => {
    const ended = await run({ arrange: refusingObjects("AccessDenied", () => true) });

    expect([ended.status, ended.error, ended.story]).toEqual(["FAILED", "RunUnreported", []]);
  });
});
