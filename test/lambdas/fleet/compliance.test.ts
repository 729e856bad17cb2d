import { describe, expect, test } from "vitest";
import type { HostReport, PackageChange } from "../../../contract/run.ts";
import { complianceOf } from "../../../lambdas/fleet/compliance.ts";
import { ComplianceLedger, notYetTold, withTold } from "../../../lambdas/fleet/compliance-ledger.ts";
import { REPORT } from "./report-sample.ts";

const [ok, , wentBack, , lost] = REPORT.hosts as [HostReport, HostReport, HostReport, HostReport, HostReport];
const change = (over: Partial<PackageChange>): PackageChange => ({
  name: "curl",
  architecture: "amd64",
  from: "1",
  to: "2",
  security: false,
  critical: false,
  cves: [],
  cvesIncomplete: false,
  ...over,
});
const itemsOf = (host: HostReport) => complianceOf({ hosts: [host] })[0]?.items ?? [];

test("a host that is up to date is compliant and has nothing else to say", () => {
  expect(itemsOf(ok)).toEqual([
    {
      id: "AutoPatch",
      title: "AutoPatch: committed",
      severity: "INFORMATIONAL",
      status: "COMPLIANT",
      details: { Outcome: "committed", PendingUpdates: "0", PendingSecurityUpdates: "0" },
    },
  ]);
});

test("one that went back tells what failed, what is open again, and each security update that waits", () => {
  expect(itemsOf(wentBack)).toEqual([
    {
      id: "AutoPatch",
      title: "AutoPatch: rolled back, 2 updates pending, 2 of them security",
      severity: "CRITICAL",
      status: "NON_COMPLIANT",
      details: {
        Outcome: "rolledBack",
        PendingUpdates: "2",
        PendingSecurityUpdates: "2",
        FailedStep: "install",
        FailureCode: "maintainerScriptFailed",
        IdenticalAfterRollback: "true",
        OpenCves: "CVE-2025-9230,CVE-2025-15467,CVE-2025-23419",
      },
    },
    {
      id: "openssl:amd64",
      title: "openssl 3.0.17-1~deb12u2 -> 3.0.18-1~deb12u1",
      severity: "HIGH",
      status: "NON_COMPLIANT",
      details: { Cves: "CVE-2025-9230,CVE-2025-15467" },
    },
    {
      id: "nginx:amd64",
      title: "nginx 1.22.1-9 -> 1.22.1-9+deb12u3",
      severity: "CRITICAL",
      status: "NON_COMPLIANT",
      details: { Cves: "CVE-2025-23419" },
    },
  ]);
});

describe("the severity of a host", () => {
  const unchanged = { ...ok, outcome: "unchanged", failure: null, rollback: null } as const;
  test.each<[string, HostReport, string]>([
    ["in doubt", { ...lost, packages: [] }, "CRITICAL"],
    [
      "with a critical security update",
      { ...unchanged, packages: [change({ security: true, critical: true })] },
      "CRITICAL",
    ],
    ["with a security update", { ...unchanged, packages: [change({ security: true })] }, "HIGH"],
    [
      "with a critical update that is none of security",
      { ...unchanged, packages: [change({ critical: true })] },
      "MEDIUM",
    ],
    ["with other updates", { ...unchanged, packages: [change({})] }, "MEDIUM"],
    ["that came to no plan", { ...unchanged, packages: [] }, "UNSPECIFIED"],
    [
      "that went back and whose plan nobody can read",
      { ...wentBack, packages: [], rollback: { identical: true, differences: 0, reopenedCves: ["CVE-2025-9230"] } },
      "HIGH",
    ],
    ["planned in a dry run", { ...unchanged, outcome: "planned", packages: [change({ security: true })] }, "HIGH"],
  ])("%s", (_what, host, severity) => {
    expect([itemsOf(host)[0]?.severity, itemsOf(host)[0]?.status]).toEqual([severity, "NON_COMPLIANT"]);
  });
});

test("whatever hosts say, it stays within the service's limits", () => {
  const cves = Array.from({ length: 600 }, (_, i) => `CVE-2025-${10_000 + i}`);
  const packages = Array.from({ length: 80 }, (_, i) =>
    change({ name: `p${i}-${"x".repeat(600)}`, security: true, cves }),
  );

  const items = itemsOf({ ...wentBack, rollback: null, packages });

  expect(items).toHaveLength(51);
  expect(items[0]?.details).toMatchObject({ PendingSecurityUpdates: "80", NotListed: "30" });
  expect(Math.max(...items.map(({ title }) => title.length))).toBe(500);
  const values = items.flatMap(({ details }) => Object.values(details));
  expect(Math.max(...values.map((value) => value.length))).toBeLessThanOrEqual(4_096);
  expect(items[1]?.details.Cves).toMatch(/^CVE-2025-10000,.*CVE-2025-\d{5} and \d+ more$/);
});

describe("who is told of", () => {
  const now = new Date("2026-03-01T00:00:00.000Z");
  const hosts = complianceOf(REPORT);
  const ledger = (at: string) => withTold({}, hosts, new Date(at));
  const ids = (some: readonly { instanceId: string }[]) => some.map(({ instanceId }) => instanceId);

  test("at first, everybody; then nobody while nothing changes, whichever run asks", () => {
    expect(ids(notYetTold(hosts, {}, now))).toEqual(ids(hosts));
    expect(notYetTold(complianceOf({ ...REPORT }), ledger("2026-02-20T00:00:00.000Z"), now)).toEqual([]);
  });

  test("a host that stands otherwise now, and no other", () => {
    const changed = complianceOf({
      hosts: REPORT.hosts.map((host) => (host === lost ? { ...host, outcome: "committed" } : host)),
    });

    expect(ids(notYetTold(changed, ledger("2026-02-20T00:00:00.000Z"), now))).toEqual(["i-00000005"]);
  });

  test("everybody again after thirty days; whoever is not spoken of for so long is forgotten", () => {
    const old = ledger("2026-01-20T00:00:00.000Z");

    expect(ids(notYetTold(hosts, old, now))).toEqual(ids(hosts));
    expect(Object.keys(withTold(old, hosts.slice(0, 1), now))).toEqual(["i-00000001"]);
    expect(ComplianceLedger.parse(old)).toEqual(old);
  });
});
