import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { cloneAsHost } from "./agent-host.ts";
import { detailsOf, ended, fastClock, fleetOn, nodeOn, runCommandOver, shell, type TestNode } from "./fleet.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});

const fleet = (size: number): TestNode[] => fleetOn(host, size);

describe("rates", () => {
  test("never more than MaxConcurrency at once, here 40 % of five", async () => {
    const nodes = fleet(5);
    const { service } = runCommandOver(nodes);
    const held = [
      "slot=/var/tmp/one; mkdir $slot 2>/dev/null || { slot=/var/tmp/two; mkdir $slot; } || exit 9",
      "sleep 0.3; rmdir $slot",
    ];
    const { Command } = service.sendCommand({ ...shell(nodes, ...held), MaxConcurrency: "40%" });
    let most = 0;
    let status = "";
    while (status !== "Success" && status !== "Failed") {
      const running = detailsOf(service, Command.CommandId).filter((detail) => detail === "InProgress").length;
      most = Math.max(most, running);
      status = service.listCommands({ CommandId: Command.CommandId }).Commands[0]?.Status ?? "";
      await delay(5);
    }
    expect(status).toBe("Success");
    expect(most).toBe(2);
  });

  test("one error more than MaxErrors terminates what was not sent yet", async () => {
    const nodes = fleet(4);
    const { service } = runCommandOver(nodes);
    const { Command } = service.sendCommand({ ...shell(nodes, "exit 1"), MaxConcurrency: "1", MaxErrors: "1" });
    const done = await ended(service, Command.CommandId);
    expect(detailsOf(service, Command.CommandId)).toEqual(["Failed", "Failed", "Terminated", "Terminated"]);
    expect(done).toMatchObject({ Status: "Failed", StatusDetails: "Failed", ErrorCount: 2, CompletedCount: 4 });
  });

  test("errors within MaxErrors leave the command incomplete", async () => {
    const nodes = fleet(2);
    const { service } = runCommandOver(nodes);
    const script = "case $AWS_SSM_INSTANCE_ID in *1) exit 7;; esac";
    const { Command } = service.sendCommand({ ...shell(nodes, script), MaxErrors: "50%" });
    const done = await ended(service, Command.CommandId);
    expect(detailsOf(service, Command.CommandId)).toEqual(["Failed", "Success"]);
    expect(done).toMatchObject({ Status: "Failed", StatusDetails: "Incomplete", ErrorCount: 1 });
  });
});

describe("nodes that cannot be reached", () => {
  test("four undeliverable and one success make a success", async () => {
    const nodes = fleet(5);
    for (const node of nodes.slice(1)) node.set("undeliverable");
    const { service } = runCommandOver(nodes);
    const { Command } = service.sendCommand(shell(nodes, "true"));
    const done = await ended(service, Command.CommandId);
    const undeliverable = Array(4).fill("Undeliverable");
    expect(detailsOf(service, Command.CommandId)).toEqual(["Success", ...undeliverable]);
    expect(done).toMatchObject({ Status: "Success", ErrorCount: 0, CompletedCount: 5 });
  });

  test("a node that comes back in time is served, one that does not is DeliveryTimedOut and no error", async () => {
    const nodes = fleet(2) as [TestNode, TestNode];
    for (const node of nodes) node.set("connectionLost");
    const { service } = runCommandOver(nodes, { clock: fastClock(20) });
    const { Command } = service.sendCommand({ ...shell(nodes, "true"), TimeoutSeconds: 30 });
    await delay(300);
    const meanwhile = detailsOf(service, Command.CommandId);
    nodes[0].set("online");
    const done = await ended(service, Command.CommandId);
    expect(meanwhile).toEqual(["Delayed", "Delayed"]);
    expect(detailsOf(service, Command.CommandId)).toEqual(["Success", "DeliveryTimedOut"]);
    expect(done).toMatchObject({
      Status: "TimedOut",
      StatusDetails: "DeliveryTimedOut",
      ErrorCount: 0,
      DeliveryTimedOutCount: 1,
    });
  });

  test("an agent that never answers is given up when the command expires", async () => {
    const [node] = fleet(1) as [TestNode];
    const gone = { ...node, host: { ...node.host, exec: () => Promise.reject(new Error("no such host")) } };
    const { service, lines } = runCommandOver([gone], { clock: fastClock(200) });
    const { Command } = service.sendCommand({ ...shell([gone], "true"), TimeoutSeconds: 30 });
    const done = await ended(service, Command.CommandId);
    expect(done).toMatchObject({ Status: "TimedOut", StatusDetails: "DeliveryTimedOut" });
    expect(lines).toEqual([`${Command.CommandId} i-00000000000000001: the agent is gone: no such host`]);
  });
});

test("a time-out of the step is ExecutionTimedOut and an error", async () => {
  const nodes = fleet(1);
  const { service } = runCommandOver(nodes);
  const { Command } = service.sendCommand(shell(nodes, "exit 137"));
  const done = await ended(service, Command.CommandId);
  expect(detailsOf(service, Command.CommandId)).toEqual(["ExecutionTimedOut"]);
  expect(done).toMatchObject({ Status: "Failed", StatusDetails: "Failed", ErrorCount: 1 });
});

test("cancelling stops the running, withdraws the waiting and leaves the finished", async () => {
  const nodes = fleet(3);
  const { service } = runCommandOver(nodes);
  const script = "case $AWS_SSM_INSTANCE_ID in *1) exit 0;; esac; sleep 60";
  const { Command } = service.sendCommand({ ...shell(nodes, script), MaxConcurrency: "1" });
  while (detailsOf(service, Command.CommandId)[1] !== "InProgress") await delay(10);
  service.cancelCommand({ CommandId: Command.CommandId });
  const cancelling = detailsOf(service, Command.CommandId);
  const askedAt = Date.now();
  const done = await ended(service, Command.CommandId);
  expect(Date.now() - askedAt).toBeLessThan(3000);
  expect(cancelling).toEqual(["Success", "Cancelling", "Cancelled"]);
  expect(detailsOf(service, Command.CommandId)).toEqual(["Success", "Cancelled", "Cancelled"]);
  expect(done).toMatchObject({ Status: "Cancelled", StatusDetails: "Cancelled" });
});

test("targets by tag; none that match is a success of nothing", async () => {
  const nodes = [nodeOn(host, 1, { Fleet: "web" }), nodeOn(host, 2, { Fleet: "db" })];
  const { service } = runCommandOver(nodes);
  const send = (value: string) =>
    service.sendCommand({
      DocumentName: "Test-Shell",
      Targets: [{ Key: "tag:Fleet", Values: [value] }],
      Parameters: { commands: ["true"] },
    }).Command.CommandId;
  const web = await ended(service, send("web"));
  const none = await ended(service, send("mail"));
  expect(
    service.listCommandInvocations({ CommandId: web.CommandId }).CommandInvocations.map((i) => i.InstanceId),
  ).toEqual(["i-00000000000000001"]);
  expect(none).toMatchObject({ Status: "Success", StatusDetails: "NoInstancesInTag", TargetCount: 0 });
});

test("nothing waits any more once a command has ended", async () => {
  const nodes = fleet(2) as [TestNode, TestNode];
  nodes[1].set("undeliverable");
  let asleep = 0;
  const real = fastClock(1);
  const clock = {
    now: real.now,
    sleep: async (ms: number, signal: AbortSignal) => {
      asleep++;
      await real.sleep(ms, signal).finally(() => asleep--);
    },
  };
  const { service } = runCommandOver(nodes, { clock });
  const { Command } = service.sendCommand(shell(nodes, "sleep 0.2"));
  while (detailsOf(service, Command.CommandId)[0] !== "InProgress") await delay(5);
  const meanwhile = asleep;
  await ended(service, Command.CommandId);
  expect([meanwhile, asleep]).toEqual([1, 0]);
});

test("closing kills what runs and returns when it is gone", async () => {
  const nodes = fleet(1);
  const { service } = runCommandOver(nodes);
  const { Command } = service.sendCommand(shell(nodes, "sleep 61.5"));
  while (detailsOf(service, Command.CommandId)[0] !== "InProgress") await delay(10);
  await delay(200);
  await service.close();
  const left = await host.exec("/bin/sh", ["-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 61[.]5'"], {
    deadlineMs: 5000,
  });
  expect(left.stdout).toBe("0\n");
  expect(detailsOf(service, Command.CommandId)).toEqual(["Cancelled"]);
});
