import { expect, test } from "vitest";
import { storyHosts, storyOutcome } from "../../../local/runner/story.ts";

test("five hosts: a canary, an edited one, one whose change fails, one its health check, and a plain one", () => {
  expect(storyHosts(5, "both").map(({ name, role, expected }) => [name, role, expected])).toEqual([
    ["canary-01", "prepared", ["committed"]],
    ["web-02", "edited", ["committed"]],
    ["web-03", "failing", ["unchanged", "rolledBack"]],
    ["web-04", "unhealthy", ["rolledBack"]],
    ["web-05", "plain", ["committed"]],
  ]);
});

test.each([
  ["both", 1, "succeeded"],
  ["both", 2, "succeeded"],
  ["both", 3, "partial"],
  ["sample", 4, "stopped"],
  ["sample", 5, "partial"],
  ["debian", 5, "succeeded"],
] as const)("%s on %i hosts: the run is %s", (packages, count, outcome) => {
  expect(storyOutcome(storyHosts(count, packages))).toBe(outcome);
});
