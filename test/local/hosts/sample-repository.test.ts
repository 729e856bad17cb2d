import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openBase } from "../../../local/hosts/base.ts";
import { type Host, type Hosts, openHosts } from "../../../local/hosts/host.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";

const DATE = new Date();

let folder: string;
let repository: SampleRepository;
let hosts: Hosts;

beforeAll(async () => {
  folder = mkdtempSync("/var/tmp/sample-test-");
  repository = await openSampleRepository({ folder: join(folder, "repository"), date: DATE });
  hosts = await openHosts({ base: await openBase({ variant: "minimal" }), count: 2, repository });
});

afterAll(async () => {
  await hosts.closeAll();
  await repository.close();
  rmSync(folder, { recursive: true });
});

async function run(host: Host, script: string): Promise<{ exitCode: number | null; text: string }> {
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", DEBIAN_FRONTEND: "noninteractive" };
  const result = await host.exec("sh", ["-c", script], { deadlineMs: 60_000, env });
  return { exitCode: result.exitCode, text: result.stdout + result.stderr };
}

const HEALTH = "for check in /etc/autopatch/health.d/*; do $check >/dev/null 2>&1 || echo unhealthy $check; done";
const INSTALL = "apt-get -q -y -o Dpkg::Options::=--force-confold install";

test("real apt accepts its signature; with one byte of InRelease changed it refuses, and takes nothing from it", async () => {
  const host = await hosts.create({ id: "i-signature", name: "web", sources: ["sample"] });
  const inRelease = join(repository.folder, "dists/stable/InRelease");
  const genuine = readFileSync(inRelease);
  const forged = Buffer.from(genuine);
  const at = forged.indexOf("AutoPatch sample");
  forged[at] = "B".charCodeAt(0);

  writeFileSync(inRelease, forged);
  const refused = await run(host, "apt-get -q -o APT::Update::Error-Mode=any update; apt-cache policy webapp");
  writeFileSync(inRelease, genuine);
  const accepted = await run(
    host,
    "apt-get -q -o APT::Update::Error-Mode=any update && apt-cache madison webapp | tr -d ' '",
  );

  expect(refused.text).toContain("BADSIG");
  expect(refused.text).not.toContain("Candidate: 2.0-1");
  expect(accepted.exitCode).toBe(0);
  expect(accepted.text.split("\n").filter((line) => line.startsWith("webapp|"))).toEqual([
    `webapp|2.0-1|${repository.url.slice(0, -1)}stable/mainamd64Packages`,
    `webapp|1.0-1|${repository.url.slice(0, -1)}stable/mainamd64Packages`,
  ]);
});

test("a plain host goes from old to new: a dependency comes, one becomes removable, conffiles of the administrator stay", async () => {
  const edited = { "/etc/webapp/webapp.conf": "listen=81\n" };
  const host = await hosts.create({ id: "i-plain", name: "web", role: "plain", sources: ["sample"], edited });

  const versions = "dpkg-query -W -f '${Package} ${Version}\\n' '*' | grep -E 'webapp|reportd|metrics|libreport'";
  const old = await run(host, `${versions}; apt-mark showmanual webapp webapp-common libmetrics1; ${HEALTH}`);
  const upgrade = await run(host, "apt-get -q update && apt-get -q -y -o Dpkg::Options::=--force-confold dist-upgrade");
  const fresh = await run(
    host,
    `${versions}; apt-get -s autoremove | grep ^Remv; cat /etc/webapp/webapp.conf /var/lib/webapp/schema; webapp-report; ${HEALTH}`,
  );

  expect(old.text.split("\n")).toEqual([
    ...["libmetrics1 1.0-1", "metricsd 1.0-1", "reportd 1.0-1", "webapp 1.0-1", "webapp-common 1.0-1", "webapp", ""],
  ]);
  expect(upgrade.exitCode).toBe(0);
  expect(fresh.text.split("\n")).toEqual([
    ...[
      "libmetrics1 1.0-1",
      "libreport2 2.0-1",
      "metricsd 2.0-1",
      "reportd 2.0-1",
      "webapp 2.0-1",
      "webapp-common 2.0-1",
    ],
    ...["Remv libmetrics1 [1.0-1]", "listen=81", "2", "report 2.0-1", ""],
  ]);
});

test("failing-app fails after it has changed things", async () => {
  const host = await hosts.create({ id: "i-failing", name: "web", role: "failing", sources: ["sample"] });

  const old = await run(host, `cat /var/lib/failing-app/state /etc/failing-app/runtime.conf; ${HEALTH}`);
  const upgrade = await run(host, `apt-get -q update && ${INSTALL} failing-app`);
  const after = await run(
    host,
    "dpkg-query -W -f '${Version} ${db:Status-Status}\\n' failing-app; cd /var/lib/failing-app; grep . *; stat -c %a /etc/failing-app/runtime.conf; cat /usr/share/failing-app/generated/index",
  );

  expect(old.text).toBe("format=1\ntuned=no\n");
  expect(upgrade.exitCode).toBe(100);
  expect(upgrade.text).toContain("failing-app: cannot reach the licence server");
  expect(after.text).toBe("2.0-1 half-configured\nformat=2\n600\nhalf done\n");
});

test("unhealthy-app installs well, and only then is unhealthy", async () => {
  const host = await hosts.create({ id: "i-unhealthy", name: "web", role: "unhealthy", sources: ["sample"] });

  const old = await run(host, HEALTH);
  const upgrade = await run(host, `apt-get -q update && ${INSTALL} unhealthy-app`);
  const after = await run(host, HEALTH);

  expect(old.text).toBe("");
  expect(upgrade.exitCode).toBe(0);
  expect(after.text).toBe("unhealthy /etc/autopatch/health.d/unhealthy-app\n");
});

test("the same table gives the same bytes, and of the secret key nothing is left", async () => {
  const again = await openSampleRepository({ folder: join(folder, "again"), date: DATE });
  const sums = (one: SampleRepository) =>
    readdirSync(join(one.folder, "pool"))
      .sort()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(one.folder, "pool", name)))
          .digest("hex"),
      ]);
  const [first, second] = [sums(repository), sums(again)];
  const release = (one: SampleRepository) => readFileSync(join(one.folder, "dists/stable/Release"), "utf8");
  const releases = [release(repository), release(again)];
  const entries = readdirSync(again.folder).sort();
  await again.close();

  expect(first).toHaveLength(repository.packages.length);
  expect(second).toEqual(first);
  expect(releases[1]).toBe(releases[0]);
  expect(entries).toEqual(["dists", "pool", "sample-repository.gpg"]);
  expect(existsSync(join(folder, "again"))).toBe(false);
});

test("the server gives files below its folder and nothing else, and answers If-Modified-Since", async () => {
  const status = async (path: string, init: RequestInit = {}) => (await fetch(`${repository.url}${path}`, init)).status;

  expect(await status("dists/stable/Release")).toBe(200);
  expect(await status("dists/stable/Release", { headers: { "if-modified-since": new Date().toUTCString() } })).toBe(
    304,
  );
  expect(await status("dists/stable/Release", { method: "PUT" })).toBe(404);
  expect(await status("%2e%2e/%2e%2e/%2e%2e/etc/passwd")).toBe(404);
  expect(await status("..%2f..%2f..%2f..%2fetc/passwd")).toBe(404);
  expect(await status("%zz")).toBe(404);
});
