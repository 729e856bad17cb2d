import { expect, test, vi } from "vitest";
import { SdkError } from "../../local/states/errors.ts";
import { definitionOf } from "../infra/assembly.ts";
import type { FakeHost } from "./hosts.ts";
import { waysOf } from "./reached.ts";
import { type FleetRun, type FleetScenario, runFleet } from "./run-fleet.ts";
import { standing } from "./standing.ts";

const stack = standing({ rootVolumes: "replace", policy: { trialSeconds: 60 } });

const reached = new Set<string>();
const host = (n: number, over: Partial<FakeHost> = {}): FakeHost => ({
  instanceId: `i-0000000${n}`,
  name: `web-0${n}`,
  ...over,
});
/** A canary, then three hosts in a wave, of which the second misbehaves. */
const fleet = (third: Partial<FakeHost>) => [host(1), host(2), host(3, third), host(4)];

interface Ec2 {
  readonly calls: string[];
  readonly answer: NonNullable<FleetScenario["ec2"]>;
}

/** EC2 with instances of two volumes each. @param over what it answers otherwise, or throws */
function ec2(
  over: Readonly<Record<string, (args: Readonly<Record<string, unknown>>, calls: number) => unknown>> = {},
): Ec2 {
  const calls: string[] = [];
  const usual: typeof over = {
    describeInstances: ({ Filters }) => ({
      Reservations: [
        {
          Instances: (Filters as { Values: string[] }[])[0]?.Values.map((InstanceId) => ({
            InstanceId,
            RootDeviceType: "ebs",
            RootDeviceName: "/dev/xvda",
            BlockDeviceMappings: [
              { DeviceName: "/dev/xvda", Ebs: { VolumeId: `vol-root-${InstanceId}` } },
              { DeviceName: "/dev/sdf", Ebs: { VolumeId: `vol-data-${InstanceId}` } },
            ],
          })),
        },
      ],
    }),
    createSnapshots: ({ InstanceSpecification }) => {
      const { InstanceId, ExcludeDataVolumeIds } = InstanceSpecification as Record<string, string & string[]>;
      expect(ExcludeDataVolumeIds).toEqual([`vol-data-${InstanceId}`]);
      return { Snapshots: [{ SnapshotId: `snap-${InstanceId}`, VolumeId: `vol-root-${InstanceId}` }] };
    },
    createReplaceRootVolumeTask: ({ InstanceId, SnapshotId, DeleteReplacedRootVolume }) => {
      expect([SnapshotId, DeleteReplacedRootVolume]).toEqual([`snap-${InstanceId}`, false]);
      return { ReplaceRootVolumeTask: { ReplaceRootVolumeTaskId: `replacevol-${InstanceId}`, TaskState: "pending" } };
    },
    describeInstanceInformation: () => ({ InstanceInformationList: [{ PingStatus: "Online" }] }),
    describeReplaceRootVolumeTasks: ({ ReplaceRootVolumeTaskIds }) => ({
      ReplaceRootVolumeTasks: [
        { ReplaceRootVolumeTaskId: (ReplaceRootVolumeTaskIds as string[])[0], TaskState: "succeeded" },
      ],
    }),
  };
  const counts = new Map<string, number>();
  return {
    calls,
    answer: (action, args) => {
      const count = (counts.get(action) ?? 0) + 1;
      counts.set(action, count);
      const spec = args.InstanceSpecification as { InstanceId?: string } | undefined;
      calls.push(`${action} ${spec?.InstanceId ?? args.InstanceId ?? ""}`.trim());
      return (over[action] ?? usual[action])?.(args, count);
    },
  };
}

/** Lets the deadlines of apply and rollback pass once somebody has looked in vain. */
function pastDeadlines(): NonNullable<FleetScenario["before"]> {
  vi.useFakeTimers({ toFake: ["Date"] });
  const looks = new Map<string, number>();
  return (name, { command, attempt, item }) => {
    if (name !== "dispatch" || (item as { wave: number }).wave !== 1 || command === "prepare") return;
    const key = `${command} ${attempt}`;
    looks.set(key, (looks.get(key) ?? 0) + 1);
    if (looks.get(key) === 3) vi.setSystemTime(Date.now() + 12 * 3_600_000);
  };
}

async function run(scenario: FleetScenario): Promise<FleetRun> {
  // A trial's end is twenty minutes and more away.
  const done = await runFleet(stack, { secondMs: 2, before: pastDeadlines(), ...scenario });
  for (const way of done.reached.of("PatchBatch")) reached.add(way);
  return done;
}
const outcomes = ({ report }: FleetRun) => report?.hosts.map(({ outcome }) => outcome);
const SILENT = { install: "silent", rollback: "silent" } as const;

test("each host's root volume is snapshotted before its change, and left alone when all goes well", async () => {
  const { calls, answer } = ec2();
  const done = await run({ hosts: fleet({}), ec2: answer });

  expect(outcomes(done)).toEqual(Array(4).fill("committed"));
  expect(calls.toSorted()).toEqual([
    ...[1, 2, 3, 4].map((n) => `createSnapshots i-0000000${n}`),
    ...Array(4).fill("describeInstances"),
  ]);
});

test("a dry run takes none", async () => {
  const { calls, answer } = ec2();
  const done = await run({ hosts: fleet({}), ec2: answer, request: { dryRun: true } });

  expect([outcomes(done), calls]).toEqual([Array(4).fill("planned"), []]);
});

test("a host of which no snapshot can be begun is not changed; the others are", async () => {
  const { answer } = ec2({
    createSnapshots: ({ InstanceSpecification }) => {
      const { InstanceId } = InstanceSpecification as { InstanceId: string };
      if (InstanceId === "i-00000003") throw new SdkError("Ec2Exception", "You are not authorized");
      return { Snapshots: [{ SnapshotId: `snap-${InstanceId}` }] };
    },
  });
  const done = await run({ hosts: fleet({}), ec2: answer });

  expect(outcomes(done)).toEqual(["committed", "committed", "unchanged", "committed"]);
  expect(done.report?.hosts[2]?.failure).toMatchObject({ step: "backup", code: "snapshotFailed" });
  expect(done.story).toContain("apply 24");
});

test("where EC2 tells nothing, nobody is changed", async () => {
  const { answer } = ec2({
    describeInstances: () => {
      throw new SdkError("Ec2Exception", "RequestLimitExceeded");
    },
  });
  const done = await run({ hosts: fleet({}), ec2: answer });

  expect(outcomes(done)).toEqual(Array(4).fill("unchanged"));
  expect(done.story.filter((line) => line.startsWith("apply"))).toEqual([]);
});

test("a host that does not come back gets its root volume back, and counts once it was seen", async () => {
  const { calls, answer } = ec2({
    describeReplaceRootVolumeTasks: (_args, count) => ({
      ReplaceRootVolumeTasks: [{ TaskState: count < 3 ? "in-progress" : "succeeded" }],
    }),
    // It takes its time until its SSM agent is back.
    describeInstanceInformation: (_args, count) => ({
      InstanceInformationList: count < 2 ? [] : [{ PingStatus: count < 3 ? "ConnectionLost" : "Online" }],
    }),
  });
  const done = await run({ hosts: fleet({ says: SILENT, restored: "nothing" }), ec2: answer });

  expect(outcomes(done)).toEqual(["committed", "committed", "rolledBack", "committed"]);
  expect(done.report?.hosts[2]).toMatchObject({
    failure: { code: "noAnswer" },
    because: "its root volume was replaced from snap-i-00000003, taken before its change",
  });
  expect(calls.filter((call) => /eplace|Information/.test(call))).toEqual([
    "createReplaceRootVolumeTask i-00000003",
    ...Array(3).fill("describeReplaceRootVolumeTasks"),
    ...Array(3).fill("describeInstanceInformation"),
  ]);
  // Once, once its trial is over, and once it has its old volume.
  expect(done.story.slice(-3)).toEqual(["rollback 3", "rollback 3", "rollback 3"]);
});

test("one that stays silent on its old volume too is in doubt, and the report says what was done", async () => {
  const done = await run({ hosts: fleet({ says: SILENT, restored: "silent" }), ec2: ec2().answer });

  expect(outcomes(done)?.[2]).toBe("inDoubt");
  expect(done.report?.hosts[2]?.because).toMatch(
    /^its root volume was replaced from snap-.*; it has not answered since$/,
  );
});

const refuse = (message: string) => () => {
  throw new SdkError("Ec2Exception", message);
};
const ends = (TaskState: string) => ({
  describeReplaceRootVolumeTasks: () => ({ ReplaceRootVolumeTasks: [{ TaskState }] }),
});

test.each<[string, Parameters<typeof ec2>[0], string]>([
  ["is refused", { createReplaceRootVolumeTask: refuse("IncorrectInstanceState") }, "EC2 refused it"],
  ["fails", ends("failed"), "EC2 failed; it keeps the volume that it had"],
  ["fails halfway", ends("failed-detached"), "EC2 failed halfway: it has no root volume now"],
  ["never ends", ends("in-progress"), "it had not ended when nobody looked any more"],
  [
    "cannot be looked at",
    { describeReplaceRootVolumeTasks: refuse("RequestLimitExceeded") },
    "it had not ended when nobody looked any more",
  ],
])("a replacement that %s leaves the host in doubt, and that is said", async (_how, over, why) => {
  const done = await run({ hosts: fleet({ says: SILENT, restored: "nothing" }), ec2: ec2(over).answer });

  expect(outcomes(done)).toEqual(["committed", "committed", "inDoubt", "committed"]);
  expect(done.report?.hosts[2]?.because).toBe(`its root volume could not be replaced from snap-i-00000003: ${why}`);
});

test.each<[string, Partial<FakeHost>]>([
  ["answers garbage", { says: { install: "silent", rollback: "garbage" } }],
  ["was killed in its rollback", { says: { install: "silent", rollback: "killed" } }],
  ["is terminated", { says: { install: "silent", rollback: "gone" } }],
])("a host that %s keeps its root volume", async (_how, third) => {
  const { calls, answer } = ec2();
  const done = await run({ hosts: fleet(third), ec2: answer });

  expect(outcomes(done)?.[2]).toBe("inDoubt");
  expect(calls.filter((call) => call.includes("eplace"))).toEqual([]);
});

test("a host that comes back by itself when its trial ends keeps what it has written", async () => {
  const { calls, answer } = ec2();
  const done = await run({ hosts: fleet({ says: SILENT, afterTrial: "ok" }), ec2: answer });

  expect(outcomes(done)?.[2]).toBe("rolledBack");
  expect(calls.filter((call) => call.includes("eplace"))).toEqual([]);
});

test("when a batch has gone silent as a whole, nobody's root volume is replaced", async () => {
  const { calls, answer } = ec2();
  const hosts = [host(1), ...[2, 3, 4].map((n) => host(n, { says: SILENT, restored: "nothing" }))];
  const done = await run({ hosts, ec2: answer });

  expect(outcomes(done)).toEqual(["committed", ...Array(3).fill("inDoubt")]);
  expect(calls.filter((call) => call.includes("eplace"))).toEqual([]);
});

test("an instance whose root is no EBS volume is not changed", async () => {
  const { answer } = ec2({
    describeInstances: () => ({ Reservations: [{ Instances: [{ RootDeviceType: "instance-store" }] }] }),
  });

  expect(outcomes(await run({ hosts: fleet({}), ec2: answer }))).toEqual(Array(4).fill("unchanged"));
});

test("a restored host of which nobody knows whether it is up is asked all the same", async () => {
  const { answer } = ec2({ describeInstanceInformation: refuse("ThrottlingException") });
  const done = await run({ hosts: fleet({ says: SILENT, restored: "nothing" }), ec2: answer });

  expect(outcomes(done)?.[2]).toBe("rolledBack");
});

test.each([
  ["again after its trial", 4],
  ["after its root volume was replaced", 5],
])("when nobody can ask a host %s, it is in doubt and the batch ends", async (_when, broken) => {
  const time = pastDeadlines();
  const done = await run({
    hosts: fleet({ says: SILENT, restored: "nothing" }),
    ec2: ec2().answer,
    before: (name, message) => {
      time(name, message);
      if (name === "dispatch" && message.command === "rollback" && message.attempt === broken)
        throw new TypeError("a defect");
    },
  });

  expect(outcomes(done)).toEqual(["committed", "committed", "inDoubt", "committed"]);
});

test("every way through the states of root volumes was gone", () => {
  const machine = stack
    .ofType("AWS::StepFunctions::StateMachine")
    .find(([, { Properties }]) => String(Properties.StateMachineName).endsWith("-PatchBatch"));
  const all = waysOf(definitionOf((machine as NonNullable<typeof machine>)[1]) as never);
  const ours = all.filter((way) => /Root|Snapshot|Replac|Lost|Restored|Trial|AskAgain|Boot|Online/.test(way));

  expect(ours.length).toBeGreaterThan(30);
  // Whatever goes wrong with one replacement ends that one: nothing here breaks the Map itself.
  expect(ours.filter((way) => !reached.has(way))).toEqual(["ReplaceRoots -> RollbackEnded"]);
});
