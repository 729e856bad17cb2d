import { expect, test } from "vitest";
import type { ApprovalRequest, PlannedChange } from "../../../contract/approval.ts";
import type { Decision } from "../../../contract/decisions.ts";
import { beyondApproved, changesDigest, judgeApproval } from "../../../lambdas/fleet/approval.ts";
import { approvalNotice } from "../../../lambdas/fleet/approval-notice.ts";
import { readDecision } from "../../../lambdas/fleet/decisions.ts";
import { scheduledName } from "../../../lambdas/fleet/scheduled-name.ts";

const change = (over: Partial<PlannedChange> = {}): PlannedChange => ({
  name: "nginx",
  architecture: "amd64",
  from: ["1.22.0-1"],
  to: "1.22.1-9",
  sha256: "b".repeat(64),
  critical: true,
  security: true,
  cves: ["CVE-2026-1000"],
  hosts: 2,
  ...over,
});
const REQUEST: ApprovalRequest = {
  runId: "run-1",
  fleet: "web",
  environment: "prod",
  wave: 0,
  waveName: "canary",
  hosts: ["web-01", "web-02"],
  digest: "d".repeat(64),
  changes: [change(), change({ name: "libold", to: null, sha256: null, critical: false, security: false, cves: [] })],
  beyondApproved: 2,
  rehearsal: { rehearsed: 1, notPossible: 1, tests: 3 },
  reboot: "whenRequired",
  why: "every change of a prod fleet wants approval",
  people: 2,
  askedAt: "2026-01-02T03:00:00.000Z",
  expiresAt: "2026-01-02T04:00:00.000Z",
};
const NOW = new Date("2026-01-02T03:30:00.000Z");
const LATE = new Date("2026-01-02T04:00:00.000Z");
const says = (by: string, decision: Decision["decision"], at = "2026-01-02T03:10:00.000Z"): Decision => ({
  by,
  at,
  decision,
  reason: "",
});

test.each<[string, readonly Decision[], readonly Decision[], Date, string | null, string]>([
  ["nobody yet", [], [], NOW, null, ""],
  ["one of two", [says("a", "approve")], [], NOW, null, ""],
  ["the same person twice", [says("a", "approve"), says("a", "approve")], [], NOW, null, ""],
  ["two people", [says("a", "approve"), says("b", "approve")], [], NOW, "approved", "approved by a and b"],
  [
    "one of three against it",
    [says("a", "approve"), says("b", "approve"), says("c", "reject")],
    [],
    NOW,
    "rejected",
    "rejected by c",
  ],
  ["an object without a decision", [says("a", "approve"), says("b", null)], [], NOW, null, ""],
  ["a stop", [says("a", "approve"), says("b", "approve")], [says("c", null)], NOW, "stopped", "stopped by c"],
  [
    "the end of the time",
    [says("a", "approve"), says("b", "approve", "2026-01-02T04:00:00.001Z")],
    [],
    LATE,
    "expired",
    "1 of 2 people approved it until 2026-01-02T04:00:00.000Z",
  ],
  [
    "in time, though it is looked at later",
    [says("a", "approve"), says("b", "approve", "2026-01-02T04:00:00.000Z")],
    [],
    new Date("2026-01-02T05:00:00.000Z"),
    "approved",
    "approved by a and b",
  ],
])("%s", (_name, said, stops, now, verdict, reason) => {
  const end = judgeApproval({ request: REQUEST, said, stops }, now);

  expect(end === null ? [null, ""] : [end.verdict, end.reason]).toEqual([verdict, reason]);
});

test("a plan's digest is of what is to be there, in any order; another byte is another plan", () => {
  const other = change({ name: "openssl", critical: false });
  expect(changesDigest([change(), other])).toBe(changesDigest([{ ...other, hosts: 9 }, change()]));
  for (const over of [{ sha256: "c".repeat(64) }, { to: "1.22.1-10" }, { from: ["1.21"] }, { to: null }])
    expect(changesDigest([change(over), other])).not.toBe(changesDigest([change(), other]));
});

test("what was approved covers the same change from another version, and not other bytes of the same one", () => {
  const approved = [{ changes: [change()] }];
  const beyond = [change({ sha256: "c".repeat(64) }), change({ to: null }), change({ name: "openssl" })];

  expect(beyondApproved([change({ from: ["1.20"], hosts: 7 }), ...beyond], approved)).toEqual(beyond);
});

test("people are told what would change, how it went, and what to type", () => {
  const notice = approvalNotice(REQUEST, {
    decisionsBucket: "decisions",
    bucket: "data",
    requestKey: "runs/r/request.json",
  });

  expect(notice.subject).toBe("AutoPatch web: approve canary? 2 changes, 1 critical, 2 hosts");
  expect(notice.body.split("\n")).toEqual([
    "Run run-1 of fleet web (prod) has prepared canary and waits: every change of a prod fleet wants approval.",
    "Until 2026-01-02T04:00:00.000Z 2 different people must approve; else it stops. Nothing has been changed on these hosts.",
    "",
    "To approve, or not, with your own credentials:",
    `  echo '{"decision":"approve","reason":"…"}' | aws s3 cp - "s3://decisions/approvals/run-1/${"d".repeat(64)}/$(aws sts get-caller-identity --query UserId --output text).json"`,
    `  echo '{"decision":"reject","reason":"…"}' | aws s3 cp - "s3://decisions/approvals/run-1/${"d".repeat(64)}/$(aws sts get-caller-identity --query UserId --output text).json"`,
    "",
    `Plan ${"d".repeat(64)}`,
    "Critical: nginx:amd64",
    "CVEs fixed: CVE-2026-1000",
    "Rehearsed on 1 of 2 hosts, 3 configuration tests passed; on 1 no clone could be had",
    "Reboots: each host that needs one, within its trial",
    "",
    "  nginx:amd64 1.22.0-1 -> 1.22.1-9 (critical, security; 2 hosts)",
    "  libold:amd64 1.22.0-1 -> removed (2 hosts)",
    "",
    "Hosts: web-01, web-02",
    "All of it: s3://data/runs/r/request.json",
  ]);
});

test.each([
  [
    "approvals/run-1/d/AIDAX.json",
    '{"decision":"approve","reason":"ok"}',
    { by: "AIDAX", decision: "approve", reason: "ok" },
  ],
  ["freeze/web/AROAX:a@b.c.json", "incident 4711\n", { by: "AROAX:a@b.c", decision: null, reason: "incident 4711" }],
  ["stop/run-1/AIDAX.json", "", { by: "AIDAX", decision: null, reason: "" }],
  // A decision that is misspelt is none, never a yes.
  [
    "approvals/run-1/d/AIDAX.json",
    '{"decision":"aprove"}',
    { by: "AIDAX", decision: null, reason: '{"decision":"aprove"}' },
  ],
])("%s with %j", (key, text, decision) => {
  expect(readDecision({ key, at: NOW, text })).toEqual({ at: NOW.toISOString(), ...decision });
});

test("a key that ends in nobody's name is no decision", () => {
  expect(readDecision({ key: "freeze/web/", at: NOW, text: "" })).toBeUndefined();
});

test("a schedule's run is named by the time it was scheduled for", () => {
  expect(scheduledName("nightly", "2026-03-22T18:59:43Z")).toBe("nightly-20260322T185943Z");
});
