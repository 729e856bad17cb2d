import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { KEYS } from "../../contract/names.ts";
import type { Snapshot } from "../../contract/run.ts";
import { openWire, wire } from "./run-fleet.ts";
import { WireError } from "./wire.ts";

/** How a run comes to its hosts, and to its name. */
let close: () => Promise<void>;
beforeAll(async () => {
  close = await openWire();
});
afterAll(() => close());
beforeEach(() => {
  wire.reset();
  vi.spyOn(console, "log").mockReturnValue();
  wire.calls.set("DescribeInstanceInformation", ({ Filters }) => describe(Filters as Filter[]));
  wire.calls.set("DescribeAutoScalingInstances", () => scaling("Instances", members(Object.entries(ZONES))));
  wire.calls.set("DescribeAutoScalingGroups", ({ "AutoScalingGroupNames.member.1": name }) =>
    scaling(
      "Groups",
      name === "web-blue"
        ? `<member><Instances>${members([
            [id(3), "a"],
            [id(1), "b"],
          ])}</Instances></member>`
        : "",
    ),
  );
});
afterEach(() => vi.restoreAllMocks());

interface Filter {
  readonly Key: string;
  readonly Values: readonly string[];
}
const id = (n: number) => `i-0000000${n}`;
/** What Systems Manager knows: by id the tags. */
const TAGS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [id(1)]: { AutoPatchEnabled: "true", Role: "web" },
  [id(2)]: { AutoPatchEnabled: "true", Role: "web" },
  [id(3)]: { AutoPatchEnabled: "true", Role: "db" },
  [id(4)]: { Role: "web" },
};
const ZONES = { [id(1)]: "a", [id(2)]: "a", [id(3)]: "b" };

function describe(filters: readonly Filter[]) {
  const found = Object.entries(TAGS).filter(([instanceId, tags]) =>
    filters.every(({ Key, Values }) =>
      Values.includes(Key === "InstanceIds" ? instanceId : (tags[Key.replace("tag:", "")] ?? "")),
    ),
  );
  return {
    InstanceInformationList: found.map(([InstanceId]) => ({
      InstanceId,
      ComputerName: `host-${InstanceId.at(-1)}`,
      PlatformType: "Linux",
      PingStatus: "Online",
      LastPingDateTime: 1_767_322_800,
    })),
  };
}

function members(entries: readonly (readonly [string, string])[]): string {
  return entries
    .map(
      ([one, zone]) => `<member><InstanceId>${one}</InstanceId><AvailabilityZone>${zone}</AvailabilityZone></member>`,
    )
    .join("");
}

function scaling(what: "Instances" | "Groups", list: string): string {
  const name = `DescribeAutoScaling${what}`;
  return `<${name}Response><${name}Result><AutoScaling${what}>${list}</AutoScaling${what}></${name}Result></${name}Response>`;
}

async function plan(request: object): Promise<Snapshot> {
  const { handler } = await import("../../lambdas/handlers/plan.ts");
  await handler({ executionName: "run-1", request });
  return wire.json(KEYS.snapshot("run-1")) as Snapshot;
}
const waves = (snapshot: Snapshot) =>
  snapshot.waves.map(({ batches }) =>
    batches
      .flat()
      .map((one) => one.at(-1))
      .join(""),
  );
const leftOut = (snapshot: Snapshot) => snapshot.leftOut.map(({ name, reason }) => `${name} ${reason}`);

test("all that carry the fleet's tag, spread over their zones", async () => {
  const snapshot = await plan({ waves: { steps: [1] } });

  expect(waves(snapshot)).toEqual(["1", "32"]);
  expect(snapshot.hosts.map(({ zone }) => zone)).toEqual(["a", "a", "b"]);
});

test("tags narrow it down, and all of them must be there", async () => {
  const snapshot = await plan({ targets: { tags: [{ key: "Role", value: "web" }] } });

  expect(waves(snapshot).join("")).toBe("12");
});

test("a group names hosts; who is in it and may not take part is left out with the reason", async () => {
  const snapshot = await plan({ targets: { autoScalingGroup: "web-blue", tags: [{ key: "Role", value: "web" }] } });

  expect(waves(snapshot)).toEqual(["1"]);
  expect(leftOut(snapshot)).toEqual(["host-3 does not carry the tag Role=web"]);
});

test("a resource group names hosts over its pages; what is not an instance, or not known, is not sent to", async () => {
  const arn = (one: string) => ({ Identifier: { ResourceArn: `arn:aws:ec2:eu-west-1:111122223333:${one}` } });
  wire.calls.set("ListGroupResources", ({ NextToken }) =>
    NextToken === undefined
      ? { Resources: [arn(`instance/${id(2)}`), arn("volume/vol-1")], NextToken: "more" }
      : { Resources: [arn(`instance/${id(4)}`), arn(`instance/${id(9)}`)] },
  );

  const snapshot = await plan({ targets: { resourceGroup: "web" } });

  expect(waves(snapshot)).toEqual(["2"]);
  expect(leftOut(snapshot)).toEqual([
    "host-4 does not carry the tag AutoPatchEnabled=true",
    `${id(9)} Systems Manager does not know it: is it running, with the SSM agent and a role?`,
  ]);
});

test("ids and a group together: only those in both, in the order of the ids", async () => {
  const snapshot = await plan({ instanceIds: [id(3), id(2), id(1)], targets: { autoScalingGroup: "web-blue" } });

  expect(waves(snapshot).join("")).toBe("31");
  expect(leftOut(snapshot)).toEqual(["host-2 is not in the Auto Scaling group web-blue"]);
});

test("a group that does not exist is named", async () => {
  await expect(plan({ targets: { autoScalingGroup: "web-bleu" } })).rejects.toThrow(
    "Auto Scaling group web-bleu: there is none of that name in this Region",
  );
});

test("who resumes a run cannot choose other hosts", async () => {
  await expect(plan({ resume: "run-0", instanceIds: [id(1)] })).rejects.toThrow(
    "resume run-0: its hosts are those of that run: leave out instanceIds and targets",
  );
  await expect(plan({ resume: "run-0" })).rejects.toThrow("run run-0: it was never planned");
});

const SCHEDULED = {
  schedule: "nightly",
  scheduledTime: "2026-03-22T18:59:43Z",
  stateMachineArn: "arn:aws:states:eu-west-1:111122223333:stateMachine:AutoPatch-PatchFleet",
  request: { windowMinutes: 120 },
};

test("a schedule that is due twice for one time starts one run", async () => {
  const started: unknown[] = [];
  wire.calls.set("StartExecution", (input) => {
    if (started.length === 1) throw new WireError("ExecutionAlreadyExists");
    started.push(input);
    return { executionArn: "arn", startDate: 0 };
  });
  const { handler } = await import("../../lambdas/handlers/start-scheduled.ts");

  expect(await handler(SCHEDULED)).toEqual({ name: "nightly-20260322T185943Z", started: true });
  expect(await handler(SCHEDULED)).toEqual({ name: "nightly-20260322T185943Z", started: false });
  expect(started).toEqual([
    { stateMachineArn: SCHEDULED.stateMachineArn, name: "nightly-20260322T185943Z", input: '{"windowMinutes":120}' },
  ]);
});

test("two runs that begin at the same moment: one has the fleet, the other says so", async () => {
  const key = KEYS.lease("default");
  const other = {
    fleet: "default",
    runId: "run-0",
    takenAt: new Date().toISOString(),
    until: "2100-01-01T00:00:00.000Z",
  };
  const get = wire.objects.get.bind(wire.objects);
  let looked = 0;
  // The other one writes between this one's look and its write.
  vi.spyOn(wire.objects, "get").mockImplementation((asked) => {
    if (asked === key && looked++ === 0) {
      wire.objects.set(key, JSON.stringify(other));
      return undefined;
    }
    return get(asked);
  });

  await expect(plan({})).rejects.toThrow("run run-1: fleet default was taken by run run-0 at the same moment");
  expect(wire.json(key)).toEqual(other);
});

test("of a decision that is no approval, or of a plan that nobody waits for, nothing comes", async () => {
  const { handler } = await import("../../lambdas/handlers/on-decision.ts");
  const event = (key: string) => ({ detail: { object: { key } } });

  await handler(event("approvals/run-1/readme.txt"));
  await handler(event(`approvals/run-1/${"d".repeat(64)}/AIDAX.json`));

  expect(vi.mocked(console.log).mock.calls.map(([line]) => JSON.parse(String(line)).message)).toEqual([
    "not an approval",
    "nobody waits for it",
  ]);
});
