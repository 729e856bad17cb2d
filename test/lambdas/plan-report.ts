import { type Lock, lockDigest } from "../../contract/lock.ts";
import { KEYS } from "../../contract/names.ts";
import type { StepReport } from "../../contract/step-report.ts";
import type { FakeHost } from "./hosts.ts";
import { said } from "./results.ts";

interface Planned {
  readonly name: string;
  readonly version: string;
  readonly critical: boolean;
}

/** A host that plans these packages: it says so in its download's answer, and its report with the plan lies where it says. */
export function planReport(host: FakeHost, packages: readonly Planned[]) {
  const entries = packages.map(({ name, version, critical }) => ({
    name,
    architecture: "amd64",
    version,
    from: "1.0-1",
    sha256: "b".repeat(64),
    size: 1000,
    file: `${name}_${version.replaceAll("+", "%2b")}_amd64.deb`,
    origin: "Debian-Security:12/stable-security",
    security: true,
    critical,
    cves: ["CVE-2026-1000"],
    cvesIncomplete: false,
  }));
  const lock: Lock = { release: "bookworm", architecture: "amd64", entries, removals: [] };
  const key = KEYS.hostReport(`AROAEXAMPLE:${host.instanceId}`, "run-1", "download", 1);
  const data = {
    lockDigest: lockDigest(lock),
    packages: entries.length,
    critical: packages.filter(({ critical }) => critical).map(({ name }) => name),
  };
  const report: StepReport = {
    result: said("download", "ok", { instanceId: host.instanceId, reportKey: key }),
    plan: { packages: entries, removals: [], leftOut: [], downloadBytes: 1000, installedBytes: 0 },
    timings: [],
  };
  return {
    hosts: [{ ...host, reportKeys: { download: key }, data: { download: data } }] satisfies FakeHost[],
    objects: { [key]: report },
  };
}
