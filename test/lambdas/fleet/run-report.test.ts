import { expect, test } from "vitest";
import { RunReport } from "../../../contract/run.ts";
import { noticeOf } from "../../../lambdas/fleet/notice.ts";
import { buildRunReport, reportKeysOf } from "../../../lambdas/fleet/run-report.ts";
import { SNAPSHOT } from "../snapshot.ts";
import { COLLECTIONS, keyOf, NOW, REPORT, VERDICTS } from "./report-sample.ts";

const PLAIN = { security: false, critical: false, cves: [], cvesIncomplete: false };
const LOCATION = {
  region: "eu-west-1",
  account: "111122223333",
  bucket: "bucket",
  reportPage: "runs/run-1/report.html",
  documentPrefix: "",
  patchFleetArn: null,
};

test("a run is reported host by host, and fits its contract", () => {
  expect(RunReport.parse(REPORT)).toEqual(REPORT);
  expect(
    REPORT.hosts.map(({ name, outcome, failure, rollback, packages, backupId }) => [
      name,
      outcome,
      failure?.code ?? null,
      rollback?.identical ?? null,
      packages.length,
      backupId,
    ]),
  ).toEqual([
    ["canary-01", "committed", null, null, 2, "backup_20260102T030405Z"],
    ["web-02", "committed", null, null, 2, "backup_20260102T030405Z"],
    ["web-03", "rolledBack", "maintainerScriptFailed", true, 2, "backup_20260102T030405Z"],
    ["web-04", "rolledBack", "unhealthy", true, 4, "backup_20260102T030405Z"],
    ["web-05", "inDoubt", "noAnswer", null, 2, "backup_20260102T030405Z"],
  ]);
  expect(REPORT.sentence).toBe(
    "Stopped after wave 1: 3 of 4 hosts failed (budget 2). " +
      "2 of 5 hosts committed, 2 rolled back, 1 in doubt, 1 left out.",
  );
});

test("CVEs that are open again come from whichever step put the host back", () => {
  expect(REPORT.hosts.map(({ rollback }) => rollback?.reopenedCves)).toEqual([
    undefined,
    undefined,
    ["CVE-2025-9230", "CVE-2025-15467", "CVE-2025-23419"],
    null,
    undefined,
  ]);
  const { body } = noticeOf(REPORT, LOCATION);
  expect(body).toContain("  Open again: CVE-2025-9230, CVE-2025-15467, CVE-2025-23419.\n");
  const many = Array.from({ length: 23 }, (_, i) => `CVE-2025-${1000 + i}`);
  const [, , third] = REPORT.hosts;
  if (third?.rollback == null) throw new Error("no sample");
  const host = { ...third, rollback: { ...third.rollback, reopenedCves: many } };
  expect(noticeOf({ ...REPORT, hosts: [host] }, LOCATION).body).toContain("CVE-2025-1019 and 3 more.\n");
});

test("packages come from the plan, removals too", () => {
  expect(REPORT.hosts[3]?.packages).toEqual([
    {
      name: "openssl",
      architecture: "amd64",
      from: "3.0.17-1~deb12u2",
      to: "3.0.18-1~deb12u1",
      security: true,
      critical: false,
      cves: ["CVE-2025-9230", "CVE-2025-15467"],
      cvesIncomplete: false,
    },
    {
      name: "nginx",
      architecture: "amd64",
      from: "1.22.1-9",
      to: "1.22.1-9+deb12u3",
      security: true,
      critical: true,
      cves: ["CVE-2025-23419"],
      cvesIncomplete: true,
    },
    { name: "webapp-data", architecture: "amd64", from: null, to: "2.0", ...PLAIN },
    { name: "webapp-old", architecture: "all", from: "1.0", to: null, ...PLAIN },
  ]);
});

test("without a host's full report its details are missing and its outcome stays", () => {
  const bare = buildRunReport(
    {
      runId: "run-1",
      fleet: "default",
      snapshot: SNAPSHOT,
      collections: COLLECTIONS,
      verdicts: VERDICTS,
      reports: new Map(),
      error: null,
    },
    NOW,
  );

  expect(bare.hosts.map(({ outcome }) => outcome)).toEqual(REPORT.hosts.map(({ outcome }) => outcome));
  expect(bare.hosts.flatMap(({ packages }) => packages)).toEqual([]);
});

test("only keys that a host may write itself are read", () => {
  const [first] = COLLECTIONS.filter(({ command }) => command === "prepare");
  const result = first?.results[0]?.steps.find(({ step }) => step === "download");
  if (first === undefined || result === undefined) throw new Error("no sample");
  const withKey = (reportKey: string | null) => [
    { ...first, results: [{ instanceId: "i-00000001", steps: [{ ...result, reportKey }] }] },
  ];

  expect(reportKeysOf("run-1", withKey(keyOf("i-00000001", "download")))).toEqual([keyOf("i-00000001", "download")]);
  expect(reportKeysOf("run-1", withKey(keyOf("i-00000002", "download")))).toEqual([]);
  expect(reportKeysOf("run-1", withKey("runs/run-1/snapshot.json"))).toEqual([]);
  expect(reportKeysOf("run-1", withKey("hosts/AROAEXAMPLE:i-00000001/../../runs/x.json"))).toEqual([]);
  expect(reportKeysOf("run-2", withKey(keyOf("i-00000001", "download")))).toEqual([]);
});

test("a run that broke before it was planned is reported as that", () => {
  const report = buildRunReport(
    {
      runId: "run-1",
      fleet: "default",
      snapshot: undefined,
      collections: [],
      verdicts: [],
      reports: new Map(),
      error: { name: "AccessDeniedException", cause: "not allowed" },
    },
    NOW,
  );

  expect(RunReport.parse(report)).toEqual(report);
  expect([report.outcome, report.sentence]).toEqual([
    "failed",
    "The run itself broke (AccessDeniedException: not allowed). No host was eligible.",
  ]);
});

test("people are told what happened, to whom, and what now", () => {
  const { subject, body } = noticeOf(REPORT, LOCATION);

  expect(subject).toBe(
    "AutoPatch default: Stopped after wave 1: 3 of 4 hosts failed (budget 2). 2 of 5 hosts committed, ...",
  );
  expect(body).toContain(
    "web-03 (i-00000003): rolled back\n  install: maintainerScriptFailed: maintainerScriptFailed happened\n  Open again: CVE-2025-9230, CVE-2025-15467, CVE-2025-23419.\n  What now: Read the named package's last lines.\n",
  );
  expect(body).toContain(
    "web-05 (i-00000005): in doubt\n  install: noAnswer: noAnswer happened\n  What now: Nobody saw where it stands.",
  );
  expect(body).toContain("Left out: web-09: offline");
  expect(body.endsWith("Everything else is in s3://bucket/runs/run-1/report.html")).toBe(true);
  expect(body).not.toContain("canary-01");
});

test("a subject is plain ASCII of at most 100 characters, whatever the fleet is called", () => {
  const { subject } = noticeOf({ ...REPORT, fleet: "flotte-réseau", sentence: "é".repeat(200) }, LOCATION);

  expect(subject).toBe("AutoPatch flotte-r?seau: ?");
  expect(noticeOf({ ...REPORT, fleet: "f".repeat(64) }, LOCATION).subject).toHaveLength(100);
});
