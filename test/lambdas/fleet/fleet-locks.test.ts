import { expect, test } from "vitest";
import { DEFAULT_SENDING } from "../../../contract/environment.ts";
import type { Promotion } from "../../../contract/promotion.ts";
import { decodeRequest, encodeRequest, type FLEET_LOCK } from "../../../contract/request.ts";
import { CommandName } from "../../../contract/steps.ts";
import { fleetLockPart, promotes, provingRun } from "../../../lambdas/fleet/fleet-locks.ts";
import { planSending } from "../../../lambdas/fleet/sending.ts";
import { SNAPSHOT } from "../snapshot.ts";

const LOCKS = { prefix: "fleet-locks/default/run-1/", kinds: ["bookworm-amd64", "trixie-arm64"] };
const PROMOTION: Promotion = { runId: "run-1", terms: null, locks: LOCKS, proven: [], unproven: [] };
const RESUMED = { ...SNAPSHOT, runId: "run-2", resumes: "run-1", proven: true };
const OFF = { ...SNAPSHOT, policy: { ...SNAPSHOT.policy, fleetLock: "off" as const } };

test.each<[string, Parameters<typeof provingRun>[0], readonly (string | null)[], boolean]>([
  ["a run proves by its first wave", SNAPSHOT, [null, "run-1", "run-1"], true],
  ["a dry run proves nothing", { ...SNAPSHOT, dryRun: true }, [null, null, null], false],
  ["nor does one without fleet locks", OFF, [null, null, null], false],
  ["one that resumes installs what was proven before", RESUMED, ["run-1", "run-1", "run-1"], false],
  [
    "one that resumes a run whose canary was not healthy proves by its own",
    { ...RESUMED, proven: false },
    [null, "run-2", "run-2"],
    true,
  ],
])("%s", (_what, run, proving, own) => {
  expect([0, 1, 2].map((wave) => provingRun(run, wave))).toEqual(proving);
  expect(promotes(run)).toBe(own);
});

test("canaries offer, all others are told what to install; without word of it they are sent nothing", () => {
  expect(fleetLockPart(SNAPSHOT, 0, undefined)).toEqual({ offerDebs: true });
  expect(fleetLockPart(SNAPSHOT, 1, PROMOTION)).toEqual({ fleetLocks: LOCKS });
  expect(fleetLockPart(RESUMED, 0, PROMOTION)).toEqual({ fleetLocks: LOCKS });
  expect(fleetLockPart(OFF, 1, undefined)).toEqual({});
  expect(() => fleetLockPart(SNAPSHOT, 1, undefined)).toThrow(
    "run run-1: wave 1 is to install what the canaries of run-1 proved, and there is no runs/run-1/promotion.json",
  );
});

test.each(CommandName.options)("of the commands only prepare brings fleet locks: %s", (command) => {
  const asked = { command, attempt: 1, wave: 1, instanceIds: ["i-00000002"], fleetLock: { fleetLocks: LOCKS } };
  const settings = { sending: DEFAULT_SENDING, documentPrefix: "", bucket: "bucket" };
  const { request } = planSending(asked, SNAPSHOT, settings, new Date("2026-01-02T03:00:00.000Z"));

  expect(decodeRequest(encodeRequest(request)).fleetLocks).toEqual(command === "prepare" ? LOCKS : undefined);
});

test.each<[(typeof FLEET_LOCK)[number], boolean]>([
  ["required", true],
  ["whereProven", true],
  ["off", false],
])("policy %s promotes: %s", (fleetLock, expected) => {
  expect(promotes({ ...SNAPSHOT, policy: { ...SNAPSHOT.policy, fleetLock } })).toBe(expected);
});
