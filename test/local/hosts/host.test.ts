import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Base, openBase } from "../../../local/hosts/base.ts";
import { type Hosts, openHosts } from "../../../local/hosts/host.ts";
import { inside } from "../../../local/hosts/inside.ts";
import { openSampleRepository, type SampleRepository } from "../../../local/hosts/sample/repository.ts";

const QUICK = { deadlineMs: 30_000 };

let base: Base;
let folder: string;
let repository: SampleRepository;
let runFolders: string[];
let hosts: Hosts;

beforeAll(async () => {
  base = await openBase({ variant: "minimal" });
  folder = mkdtempSync("/var/tmp/host-test-");
  repository = await openSampleRepository({ folder: join(folder, "repository"), date: new Date() });
});

beforeEach(async () => {
  runFolders = [mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : "/var/tmp", "host-test-"))];
  hosts = await openHosts({ base, count: 1, repository, runFolders });
});

afterEach(async () => {
  await hosts.closeAll();
  for (const one of runFolders) rmSync(one, { recursive: true, force: true });
});

afterAll(async () => {
  await repository.close();
  rmSync(folder, { recursive: true });
});

test("a host is one of its own: name, machine id, sources, edited files with the mode they had, the agent's files on top", async () => {
  const agentLayer = join(folder, "agent");
  mkdirSync(join(agentLayer, "usr/local/bin"), { recursive: true });
  writeFileSync(join(agentLayer, "usr/local/bin/agent"), "#!/bin/sh\necho agent\n", { mode: 0o755 });
  const edited = { "/etc/shadow": "root:*:1::::::\n", "/etc/new/app.conf": "x=1\n" };

  const one = await hosts.create({
    id: "i-1",
    name: "web-1",
    role: "plain",
    sources: ["debian", "sample"],
    edited,
    agentLayer,
  });
  const other = await hosts.create({ id: "i-2", name: "web-2", sources: ["debian"], network: "none" });

  const show =
    "hostname; cat /etc/hostname; agent; stat -c '%a %U %G' /etc/shadow /etc/new/app.conf; cat /etc/new/app.conf";
  expect((await one.exec("sh", ["-c", show], QUICK)).stdout).toBe(
    "web-1\nweb-1\nagent\n640 root shadow\n644 root root\nx=1\n",
  );
  const ids = [one, other].map((host) => readFileSync(join(host.sandbox.root, "etc/machine-id"), "utf8"));
  expect(ids[0]).toMatch(/^[0-9a-f]{32}\n$/);
  expect(ids[1]).not.toBe(ids[0]);
  const sources = (at: string) => readdirSync(join(at, "etc/apt/sources.list.d")).sort();
  expect([sources(one.sandbox.root), sources(other.sandbox.root)]).toEqual([
    ["autopatch-sample.sources", "debian.sources"],
    ["debian.sources"],
  ]);
  expect(readFileSync(join(other.sandbox.root, "etc/apt/sources.list.d/debian.sources"), "utf8")).toBe(
    `Types: deb\nURIs: ${base.archive.mirror}\nSuites: bookworm\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n` +
      `Types: deb\nURIs: ${base.archive.security}\nSuites: bookworm-security\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n`,
  );
});

test("once a role is prepared, a host is there in well under a second", async () => {
  await hosts.prepare("plain");
  const startedAt = performance.now();

  const host = await hosts.create({ id: "i-1", name: "web", role: "plain", sources: ["sample"] });
  const took = performance.now() - startedAt;

  expect((await host.exec("dpkg-query", ["-W", "-f", "${Version}", "webapp"], QUICK)).stdout).toBe("1.0-1");
  expect(took).toBeLessThan(1000);
});

test("closing all ends hosts that are still being made, leaves nothing, and may be done twice", async () => {
  const made = await hosts.create({ id: "i-1", name: "one", sources: [] });
  const pid = made.sandbox.pid;
  const making = hosts.create({ id: "i-2", name: "two", role: "unhealthy", sources: [] });

  await Promise.all([hosts.closeAll(), hosts.closeAll()]);
  await hosts.closeAll();

  expect((await making).id).toBe("i-2");
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(readdirSync(runFolders[0] ?? "")).toEqual([]);
  await expect(hosts.create({ id: "i-3", name: "three", sources: [] })).rejects.toThrow(
    "host i-3: the hosts are being closed",
  );
});

test("kept hosts leave their files, and the next run leaves them too", async () => {
  const host = await hosts.create({ id: "i-1", name: "one", sources: [], edited: { "/etc/kept": "yes\n" } });
  const upper = host.sandbox.upper;

  await hosts.closeAll({ keep: true });
  const next = await openHosts({ base, count: 1, runFolders });
  await next.closeAll();

  expect(readFileSync(join(upper, "etc/kept"), "utf8")).toBe("yes\n");
});

test("what a killed run left is removed by the next, while a living run's hosts go on", async () => {
  const [runFolder] = runFolders as [string];
  const host = await hosts.create({ id: "i-1", name: "living", sources: [] });
  const program = `
    import { openBase } from "${join(import.meta.dirname, "../../../local/hosts/base.ts")}";
    import { openHosts } from "${join(import.meta.dirname, "../../../local/hosts/host.ts")}";
    const hosts = await openHosts({ base: await openBase({ variant: "minimal" }), count: 1, runFolders: [process.argv[1]] });
    await hosts.create({ id: "i-9", name: "dying", sources: [] });
    console.log(hosts.folder);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, runFolder], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed] = (await once(child.stdout, "data")) as [Buffer];
  const left = printed.toString().trim();
  child.kill("SIGKILL");
  await once(child, "exit");
  const stayed = statSync(left).isDirectory();

  const next = await openHosts({ base, count: 1, runFolders });

  expect(stayed).toBe(true);
  expect(existsSync(left)).toBe(false);
  expect((await host.exec("hostname", [], QUICK)).stdout).toBe("living\n");
  await next.closeAll();
  expect((await host.exec("hostname", [], QUICK)).stdout).toBe("living\n");
});

test("a path over a link is refused, since it would lead out of the host", async () => {
  const host = await hosts.create({ id: "i-1", name: "web", sources: [] });
  await host.exec("ln", ["-s", folder, "/etc/away"], QUICK);

  expect(() => inside(host.sandbox.root, "/etc/away/file")).toThrow(
    `/etc/away/file: ${host.sandbox.root}/etc/away is a link, or leads upwards; name the file itself`,
  );
  expect(() => inside(host.sandbox.root, "/etc/../../../etc/passwd")).toThrow("leads upwards");
});
