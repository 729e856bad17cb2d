import { expect, test } from "vitest";
import { type StatesPorts, systemClock, systemRandomness } from "../../../local/states/ports.ts";
import { StateMachines } from "../../../local/states/state-machines.ts";
import { arnOf, functionArn, REGION, ROLE } from "./account.ts";

test("on the real clock: a wait and a time-out take their second, and stopping leaves no timer behind", async () => {
  let cancelled = 0;
  let asleep = 0;
  const ports: StatesPorts = {
    clock: {
      now: systemClock.now,
      sleep: async (ms, signal) => {
        asleep += 1;
        await systemClock.sleep(ms, signal).finally(() => {
          asleep -= 1;
        });
      },
    },
    random: systemRandomness,
    invoke: (_arn, _payload, signal) =>
      new Promise(() => {
        signal.addEventListener("abort", () => {
          cancelled += 1;
        });
      }),
    sdk: () => Promise.reject(new Error("no SDK here")),
  };
  const machines = new StateMachines(ports, { region: REGION });
  const register = (name: string, States: object) => {
    const definition = JSON.stringify({ QueryLanguage: "JSONata", StartAt: "S", States });
    machines.register({ name, arn: arnOf(name), roleArn: ROLE, definition });
    return machines.startExecution({ stateMachineArn: arnOf(name) }).executionArn;
  };
  const hang = { Type: "Task", Resource: functionArn("hang"), End: true };
  const began = Date.now();
  const wait = register("Wait", { S: { Type: "Wait", Seconds: 1, End: true } });
  const late = register("Late", { S: { ...hang, TimeoutSeconds: 1 } });
  const long = register("Long", { S: { ...hang, TimeoutSeconds: 3600 } });
  const statuses = [await machines.finished(wait), await machines.finished(late)].map(({ status }) => status);
  const took = Date.now() - began;
  machines.stopExecution({ executionArn: long });
  expect([...statuses, (await machines.finished(long)).status]).toEqual(["SUCCEEDED", "FAILED", "ABORTED"]);
  expect(took).toBeGreaterThanOrEqual(995);
  expect(took).toBeLessThan(3000);
  await new Promise((resolve) => setImmediate(resolve));
  expect({ cancelled, asleep }).toEqual({ cancelled: 2, asleep: 0 });
});
