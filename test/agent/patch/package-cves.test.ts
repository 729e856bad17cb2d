import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(async () => bench.close());

const CACHE = `${HOST_PATHS.state}/changelogs.json`;
const WEBAPP = ["CVE-2025-9900001", "CVE-2026-9900001", "CVE-2026-9900002"];
const ALL = [...WEBAPP, "CVE-2026-9900003", "CVE-2026-9900004", "CVE-2026-9900005"];

/** What the last download said each package fixes. */
function fixes(host: AgentHost) {
  const packages = host.report("download").plan?.packages ?? [];
  return Object.fromEntries(packages.map((p) => [p.name, p.cvesIncomplete ? [...(p.cves ?? []), "cut"] : p.cves]));
}

test("what updates fix is read once from their .debs, kept with the backup, and open again after the way back", {
  timeout: 240_000,
}, async () => {
  const host = await bench.host();
  await host.step("preflight");
  const dry = await host.step("download", { dryRun: true });
  expect(dry.result).toMatchObject({ outcome: "succeeded", data: { packages: 5, cves: null } });
  expect(fixes(host)).toEqual({ libreport2: [], metricsd: null, reportd: null, webapp: null, "webapp-common": null });

  const first = await host.step("download");
  expect(first.result).toMatchObject({ outcome: "succeeded", data: { packages: 5, security: 0, cves: 6 } });
  const read = {
    libreport2: [],
    metricsd: ["CVE-2026-9900004", "CVE-2026-9900005", "cut"],
    reportd: ["CVE-2026-9900003"],
    // Its documentation folder is a link to webapp-common's.
    webapp: WEBAPP,
    "webapp-common": WEBAPP,
  };
  expect(fixes(host)).toEqual(read);
  const summary = readdirSync(inside(host.root, HOST_PATHS.logs)).filter((n) => n.startsWith("download_summary_"));
  expect(host.read(`${HOST_PATHS.logs}/${summary.sort().at(-1)}`)).toContain(
    "  metricsd all 1.0-1 -> 2.0-1\n    fixes CVE-2026-9900004 CVE-2026-9900005 and perhaps more: its changelog is cut\n",
  );

  // What lies there from before is known to a dry run too; and what was read is not read again.
  host.write(CACHE, host.read(CACHE).replace("CVE-2026-9900003", "CVE-2026-9900033"), 0o600);
  await host.step("download", { dryRun: true });
  expect(fixes(host)).toEqual({ ...read, reportd: ["CVE-2026-9900033"] });
  host.write(CACHE, "{", 0o600);
  await host.step("download");
  expect(fixes(host)).toEqual(read);

  for (const step of ["verify", "backup", "install"] as const)
    expect((await host.step(step)).result).toMatchObject({ outcome: "succeeded" });
  const back = await host.step("rollback");
  expect(back.result).toMatchObject({ outcome: "succeeded", data: { identical: true, reopenedCves: 6 } });
  expect(host.report("rollback").rollback?.reopenedCves).toEqual(ALL);
  expect((await host.run("rollback.sh", "--restore-system", "latest")).stdout).toContain(
    `These CVEs are open again:\n${ALL.map((cve) => `  ${cve}\n`).join("")}`,
  );
  await host.close();
});

test("a .deb without a changelog, one of another source and a damaged one: not known, and nothing fails for it", async () => {
  const host = await bench.host();
  await host.step("preflight");
  await host.step("download");
  // The host has them from elsewhere: a source of another name.
  const status = host.read("/var/lib/dpkg/status");
  host.write("/var/lib/dpkg/status", status.replace("Package: reportd\n", "Package: reportd\nSource: reports\n"));
  host.write(CACHE, "{}", 0o600);
  host.write(
    "/usr/local/sbin/dpkg-deb",
    '#!/bin/sh\ncase "$*" in *metricsd*) head -c 600 /dev/zero; exit 1;; esac\nexec /usr/bin/dpkg-deb "$@"\n',
    0o755,
  );
  const { result, stderr } = await host.step("download");
  expect(result).toMatchObject({ outcome: "succeeded", data: { cves: 3 } });
  expect(fixes(host)).toEqual({
    libreport2: [],
    metricsd: null,
    reportd: null,
    webapp: WEBAPP,
    "webapp-common": WEBAPP,
  });
  expect(stderr).toContain("reportd: which CVEs it fixes is not known: its changelog is that of reportd");
  expect(stderr).toContain("metricsd: which CVEs it fixes is not known: no changelog could be read");
  await host.close();
});
