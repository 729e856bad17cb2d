import { expect, test } from "vitest";
import { openDisplay, paint } from "../../../local/runner/display.ts";
import { advance, initialProgress, type RunEvent } from "../../../local/runner/progress.ts";

const hosts = [
  { instanceId: "i-1", name: "canary-01" },
  { instanceId: "i-2", name: "web-02" },
];
const events: RunEvent[] = [
  { kind: "state", state: "Plan" },
  {
    kind: "planned",
    waves: [
      { name: "canary", hosts: ["i-1"] },
      { name: "wave 1", hosts: ["i-2"] },
    ],
  },
  { kind: "stepStarted", instanceId: "i-1", step: "install" },
  { kind: "stepEnded", instanceId: "i-1", step: "install", outcome: "failed", note: "failing-app: postinst exit 1" },
  { kind: "stepStarted", instanceId: "i-2", step: "backup" },
];

test("not a terminal: plain lines, one for each thing that happened", () => {
  const screen = capture(false);
  const display = openDisplay(screen.output, hosts, () => 1000, false);
  for (const event of events) display.event(event);
  display.close();
  expect(screen.text()).not.toContain("\u001b");
  expect(
    screen
      .text()
      .split("\n")
      .map((line) => line.replace(/^\[ *[\d.]+s\] /, "")),
  ).toEqual([
    "Plan",
    "canary: 1 host, wave 1: 1 host",
    "canary   canary-01  install   ✗ failed  failing-app: postinst exit 1",
    "",
  ]);
});

test("a terminal gets a picture by wave, cut to its width", () => {
  const progress = events.reduce((p, event, i) => advance(p, event, i * 1000), initialProgress(hosts));
  expect(paint(progress, 12_000, 80, false)).toEqual([
    "[  12.0s] Plan",
    "  canary",
    "    ✗ canary-01  install    failing-app: postinst exit 1",
    "  wave 1",
    "    ▸ web-02     backup     8 s",
  ]);
  for (const line of paint(progress, 12_000, 30, false)) expect(line.length).toBeLessThanOrEqual(30);
});

test("the picture is painted over, not below the last one", () => {
  const screen = capture(true);
  const display = openDisplay(screen.output, hosts, () => 0, false);
  display.event({ kind: "state", state: "Plan" });
  const first = screen.text();
  display.event({ kind: "state", state: "Prepare" });
  display.close();
  expect(screen.text().slice(first.length).startsWith("\u001b[3A\u001b[J[   0.0s] Prepare\n")).toBe(true);
});

function capture(isTTY: boolean) {
  const parts: string[] = [];
  const output = { isTTY, columns: 80, write: (part: string) => void parts.push(part) };
  return { output, text: () => parts.join("") };
}
