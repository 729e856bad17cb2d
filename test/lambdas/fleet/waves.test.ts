import { expect, test } from "vitest";
import { DEFAULT_WAVES } from "../../../contract/run.ts";
import { chooseTargets, type ManagedInstance } from "../../../lambdas/fleet/targets.ts";
import { batchItems, planWaves } from "../../../lambdas/fleet/waves.ts";

const id = (n: number) => `i-${String(n).padStart(8, "0")}`;
const instance = (n: number, over: Partial<ManagedInstance> = {}): ManagedInstance => ({
  instanceId: id(n),
  name: `web-${String(n).padStart(3, "0")}`,
  platform: "Debian GNU/Linux 12",
  platformType: "Linux",
  online: true,
  lastPing: "2026-01-02T03:04:05.000Z",
  ...over,
});
const fleet = (count: number) => Array.from({ length: count }, (_, index) => instance(index + 1));
const sizes = (count: number, policy = DEFAULT_WAVES) =>
  planWaves(fleet(count), policy).map(({ name, batches }) => [name, batches.map((batch) => batch.length)]);

test.each([
  [0, []],
  [1, [["canary", [1]]]],
  [
    2,
    [
      ["canary", [1]],
      ["wave 1", [1]],
    ],
  ],
  [
    5,
    [
      ["canary", [1]],
      ["wave 1", [1]],
      ["wave 2", [3]],
    ],
  ],
  [
    401,
    [
      ["canary", [1]],
      ["wave 1", [50, 50]],
      ["wave 2", [50, 50, 50, 50, 50, 50]],
    ],
  ],
])("%i hosts go in waves", (count, waves) => {
  expect(sizes(count)).toEqual(waves);
});

test("what the last share leaves over goes with it, and nobody goes twice", () => {
  const waves = planWaves(fleet(113), { canary: 2, steps: [0.1, 0.5], errorBudget: 0, bakeSeconds: 0 });

  expect(waves.map(({ batches }) => batches.map((batch) => batch.length))).toEqual([[2], [12], [50, 49]]);
  expect(new Set(waves.flatMap(({ batches }) => batches.flat())).size).toBe(113);
});

test("items keep their batch's number when hosts drop out of them", () => {
  const wave = { index: 1, name: "wave 1", batches: [[id(1)], [id(2), id(3)]] };

  expect(batchItems("run-1", wave, (host) => host === id(3))).toEqual([
    { runId: "run-1", wave: 1, batch: 1, instanceIds: [id(3)] },
  ]);
});

const tagged = (...numbers: number[]) => ({
  ids: new Set(numbers.map(id)),
  otherwise: "does not carry the tag AutoPatchEnabled=true",
});

test("hosts that cannot take part are left out, each with its reason", () => {
  const found = [
    instance(3),
    instance(1),
    instance(4, { online: false }),
    instance(5, { platformType: "Windows" }),
    instance(6),
  ];
  const wanted = [id(3), id(9), id(1), id(4), id(5), id(6), id(3)];

  const { hosts, leftOut } = chooseTargets(found, [tagged(1, 3, 4, 5)], wanted);

  expect(hosts.map(({ instanceId }) => instanceId)).toEqual([id(3), id(1)]);
  expect(leftOut).toEqual([
    {
      instanceId: id(9),
      name: id(9),
      reason: "Systems Manager does not know it: is it running, with the SSM agent and a role?",
    },
    { instanceId: id(4), name: "web-004", reason: "offline: its SSM agent last answered at 2026-01-02T03:04:05.000Z" },
    { instanceId: id(5), name: "web-005", reason: "runs Windows, not Linux" },
    { instanceId: id(6), name: "web-006", reason: "does not carry the tag AutoPatchEnabled=true" },
  ]);
});

test("without a request, every enrolled host goes, by name", () => {
  const found = [instance(2), instance(3, { name: "canary-01" }), instance(1)];

  const { hosts } = chooseTargets(found, [], undefined);

  expect(hosts.map(({ name }) => name)).toEqual(["canary-01", "web-001", "web-002"]);
  expect(hosts[0]).toEqual({
    instanceId: id(3),
    name: "canary-01",
    platform: "Debian GNU/Linux 12",
    online: true,
    lastPing: "2026-01-02T03:04:05.000Z",
  });
});
