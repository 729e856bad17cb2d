import { DEFAULT_GATES } from "../../contract/gates.ts";
import type { FakeHost } from "./hosts.ts";
import { planReport } from "./plan-report.ts";
import { type FleetScenario, wire } from "./run-fleet.ts";

/** People who decide, by their `aws:userid`. */
export const ALICE = "AROAEXAMPLE:alice@example.com";
export const BOB = "AROAEXAMPLE:bob@example.com";

export const host = (n: number, says: FakeHost["says"] = {}): FakeHost => ({
  instanceId: `i-0000000${n}`,
  name: `web-0${n}`,
  says: says ?? {},
});
/** A canary, and two after it. */
export const three = [1, 2, 3].map((n) => host(n));
/** What a first wave of one host is asked. */
export const FIRST = ["prepare 1", "apply 1", "commit 1"];
/** Where waves follow, the canary is asked once more after the bake. */
export const BAKED = [...FIRST, "check 1"];

export const gates = (over: object) => ({
  AUTOPATCH_GATES: JSON.stringify({ ...DEFAULT_GATES, lookSeconds: 5, ...over }),
});
export const PROD = { AUTOPATCH_ENVIRONMENT: "prod" };
export const NGINX = { name: "nginx", version: "1.22.1-9+deb12u3", critical: true };

/** Hosts whose reports lie in the bucket, as approval wants to read them. */
export const reported = (n: number, packages: Parameters<typeof planReport>[1]) => planReport(host(n), packages);

/** Of every plan that people were asked about. */
export const digestsAsked = (): string[] =>
  [...wire.objects.keys()].flatMap((key) => /approvals\/([0-9a-f]{64})\/request/.exec(key)?.[1] ?? []);

/** A calendar that is closed when it is asked first, and open from then on. @param asked told each time */
export function opensLater(asked: () => number): NonNullable<FleetScenario["before"]> {
  return () =>
    void wire.calls.set("GetCalendarState", () => ({
      State: asked() === 1 ? "CLOSED" : "OPEN",
      NextTransitionTime: "2026-01-02T06:00:00Z",
    }));
}
