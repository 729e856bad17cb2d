import { expect, test } from "vitest";
import type { HostReport } from "../../../contract/run.ts";
import { installedVersions, type OutsideView, seeHost } from "../../../local/runner/outcome.ts";

const fixes = { cves: [], cvesIncomplete: false };
const report: HostReport = {
  instanceId: "i-00000000000000001",
  name: "web-01",
  wave: 1,
  outcome: "committed",
  failure: null,
  packages: [
    { name: "openssl", architecture: "amd64", from: "3.0.15", to: "3.0.17", security: true, critical: false, ...fixes },
    { name: "old-lib", architecture: "amd64", from: "1", to: null, security: false, critical: false, ...fixes },
  ],
  backupId: "backup_20261124T020000Z",
  rollback: null,
  steps: [],
};
const difference = { path: "/usr/bin/openssl", what: "content", before: "a", after: "b" } as const;
const changed: OutsideView = {
  comparison: { identical: false, compared: 9_000, differences: [difference], otherTimes: ["/usr"] },
  installed: new Map([["openssl:amd64", "3.0.17"]]),
  lostEdits: [],
};
const committed = { role: "plain", waveName: "canary", expected: ["committed"] } as const;
const rolledBack = { role: "failing", waveName: "wave 1", expected: ["rolledBack"] } as const;

test("a committed host whose packages are as reported has no problem", () => {
  expect(seeHost(report, changed, committed)).toMatchObject({ identical: null, waveName: "canary", problems: [] });
});

test("a committed host with another version, or with a package that should be gone, is found out", () => {
  const installed = new Map([
    ["openssl:amd64", "3.0.15"],
    ["old-lib:amd64", "1"],
  ]);
  expect(seeHost(report, { ...changed, installed }, committed).problems).toEqual([
    "openssl:amd64 is 3.0.15, the report says 3.0.17",
    "old-lib:amd64 is 1, the report says removed",
  ]);
});

test("a committed host that names no package is found out", () => {
  expect(seeHost({ ...report, packages: [] }, changed, committed).problems).toEqual([
    "is reported committed, but names no package",
  ]);
});

const same = { ...changed, comparison: { ...changed.comparison, identical: true, differences: [] } };

test("a rolled back host is identical or found out", () => {
  const back: HostReport = { ...report, outcome: "rolledBack" };
  expect(seeHost(back, same, rolledBack)).toMatchObject({ identical: true, problems: [] });
  expect(seeHost(back, changed, rolledBack)).toMatchObject({
    identical: false,
    problems: ["is reported rolledBack, but 1 things differ from before"],
  });
});

test("another end than the story's is a problem", () => {
  expect(seeHost({ ...report, outcome: "inDoubt" }, same, rolledBack).problems).toEqual([
    "is inDoubt, the story says rolledBack",
  ]);
});

test("an administrator's edit that is gone is found out, whatever became of the host", () => {
  const lost = { ...changed, lostEdits: ["/etc/webapp/webapp.conf"] };
  expect(seeHost(report, lost, committed).problems).toEqual(["has lost its administrator's /etc/webapp/webapp.conf"]);
});

test("versions are read from dpkg -l, foreign architectures apart", () => {
  const lines = [
    "||/ Name           Version      Architecture Description",
    "ii  libc6:amd64    2.36-9       amd64        GNU C Library",
    "hi  openssl        3.0.15       amd64        toolkit",
    "rc  gone           1.0          all          removed",
  ];
  const packages = { "dpkg -l": lines, "apt-mark showauto": [], "apt-mark showmanual": [], "apt-mark showhold": [] };
  expect([...installedVersions({ files: {}, packages })]).toEqual([
    ["libc6:amd64", "2.36-9"],
    ["openssl:amd64", "3.0.15"],
  ]);
});
