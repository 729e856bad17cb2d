import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { cloneAsHost } from "./agent-host.ts";
import { ended, fleetOn, runCommandOver, shell, type TestNode } from "./fleet.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});

const fleet = (size: number): TestNode[] => fleetOn(host, size);

test("events can be lost, late and doubled", async () => {
  const nodes = fleet(1);
  const seen: [string, unknown, number][] = [];
  const startedAt = Date.now();
  const { service } = runCommandOver(nodes, {
    emit: (event) => void seen.push([event["detail-type"], event.detail.status, Date.now() - startedAt]),
    faults: {
      lose: (event) => event.detail.status === "InProgress",
      duplicate: (event) => "instance-id" in event.detail,
      delayMs: (event) => ("instance-id" in event.detail ? 0 : 400),
    },
  });
  const { Command } = service.sendCommand(shell(nodes, "true"));
  await ended(service, Command.CommandId);
  await delay(500);
  const invocation = "EC2 Command Invocation Status-change Notification";
  expect(seen.map(([type, status]) => [type, status])).toEqual([
    [invocation, "Success"],
    [invocation, "Success"],
    ["EC2 Command Status-change Notification", "Success"],
  ]);
  expect(seen[2]?.[2]).toBeGreaterThanOrEqual(400);
});
