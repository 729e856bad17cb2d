import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exec } from "../../agent/host/exec.ts";
import { openBase } from "../../local/hosts/base.ts";
import { takeFingerprint } from "../../local/hosts/fingerprint.ts";
import { type Host, type Hosts, openHosts } from "../../local/hosts/host.ts";
import { inside, writeInside } from "../../local/hosts/inside.ts";
import { openSampleRepository, type SampleRepository } from "../../local/hosts/sample/repository.ts";
import { PATH } from "../agent/bench.ts";
import { builtBundle } from "./built.ts";
import { block, line } from "./text.ts";

let folder: string;
let repository: SampleRepository;
let hosts: Hosts;
let container: Host;
/** Set by the Dockerfile's ENV lines. */
const environment: Record<string, string> = { PATH, HOME: "/root" };

// A container is a host without init: what is at /usr/local/bin there is the bundle's, as COPY puts it.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-seed-"));
  repository = await openSampleRepository({ folder: join(folder, "repository"), date: new Date() });
  const base = await openBase({ variant: "minimal" });
  hosts = await openHosts({ base, count: 1, repository });
  container = await hosts.create({ id: "i-0c0ffee0000000001", name: "app", role: "plain", sources: ["sample"] });
  const bundle = await builtBundle(folder);
  const context = inside(container.sandbox.root, "/root");
  await exec("tar", ["-C", context, "--no-same-owner", "-xzf", bundle], { deadlineMs: 60_000 });
  writeInside(container.sandbox.root, "/root/entrypoint-autopatch.sh", block("ENTRYPOINT SCRIPT"));
});
afterAll(async () => {
  await hosts?.closeAll();
  await repository?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return await container.exec(file, args, { deadlineMs: 180_000, cwd: "/root", env: { ...environment, ...env } });
}

/** The Dockerfile's instructions after its packages, which are the base image's here. */
function instructions(): [instruction: string, rest: string][] {
  const lines = block("DOCKERFILE AUTOPATCH-ENABLED").replaceAll("\\\n", " ").split("\n");
  return lines
    .filter((one) => /^(COPY|RUN|ENV|ENTRYPOINT) /.test(one) && !one.startsWith("RUN apt-get"))
    .map((one) => [one.slice(0, one.indexOf(" ")), one.slice(one.indexOf(" ") + 1)]);
}

/** Where the pod has a volume, by its name: empty when the pod begins, its own after. */
function mountOf(volume: string): string {
  const places = [
    ...block("KUBERNETES DEPLOYMENT").matchAll(new RegExp(`- name: ${volume}\\s+mountPath: (\\S+)`, "g")),
  ];
  const [first = ""] = new Set(places.map(([, path]) => path));
  return first;
}

/** A claim may be met by a folder of the node or by a file system of any kind. */
async function mountVolume(volume: string, kind: "bind" | "tmpfs"): Promise<string> {
  const path = mountOf(volume);
  const mount = kind === "bind" ? 'mount --bind "$1" "$0"' : 'mount -t tmpfs -o mode=0755 "$1" "$0"';
  const mounted = await run("sh", ["-c", `mkdir -p "$0" "$1" && ${mount}`, path, `/srv/${volume}`]);
  expect(mounted, mounted.stderr).toMatchObject({ exitCode: 0 });
  return path;
}

const webapp = async () => (await run("dpkg-query", ["-W", "-f=${Version}", "webapp"])).stdout;
let entrypoint: string[] = [];

test("the Dockerfile's lines put the programs and the entrypoint in place", async () => {
  for (const [instruction, rest] of instructions()) {
    if (instruction === "ENV") {
      const [name = "", value = ""] = rest.split("=");
      environment[name] = value;
    } else if (instruction === "ENTRYPOINT") entrypoint = JSON.parse(rest);
    else {
      const done = await run("sh", ["-c", instruction === "COPY" ? `cp ${rest}` : rest]);
      expect(done, `${instruction} ${rest}: ${done.stderr}`).toMatchObject({ exitCode: 0 });
    }
  }
  expect(environment).toMatchObject({ AUTOPATCH_HOME: "/usr/local/bin", AUTOPATCH_LOG_LEVEL: "INFO" });
  expect(entrypoint).toEqual(["/entrypoint.sh"]);
  const programs = await run("sh", ["-c", "ls /usr/local/bin/autopatch-*.sh"]);
  expect(programs.stdout.trim().split("\n")).toHaveLength(3);
});

test("the init container's dry run writes its summary into the mounted logs and changes no package", async () => {
  const words = (text: string) => JSON.parse(text.slice(text.indexOf("[")).replaceAll("'", '"')) as string[];
  const [program = "", ...more] = words(line("KUBERNETES DEPLOYMENT", /^\s*command:/));
  const args = [...more, ...words(line("KUBERNETES DEPLOYMENT", /^\s*args:/))];
  // The bundle installs itself at the first call, which is not the dry run's doing.
  await run(program, ["--help"]);
  const logs = await mountVolume("autopatch-logs", "bind");
  const before = await takeFingerprint(container.sandbox);
  const ended = await run(program, args);
  const after = await takeFingerprint(container.sandbox);

  expect(args).toEqual(["full-update", "--backup", "--dry-run"]);
  expect(ended, ended.stderr).toMatchObject({ exitCode: 0 });
  expect(after.packages).toEqual(before.packages);
  expect(await webapp()).toBe("1.0-1");
  const mounted = await run("sh", ["-c", `cat ${logs}/download_summary_*.txt`]);
  expect(mounted.stdout).toContain("webapp all 1.0-1 -> 2.0-1");
  expect((await run("sh", ["-c", "ls -d /var/tmp/autopatch_backups/backup_*"])).stdout).toBe("");
});

test("the entrypoint tells the status and starts the application; it updates only when it is told to", async () => {
  const kept = await mountVolume("autopatch-backups", "tmpfs");
  const app = ["sh", "-c", "echo started $(dpkg-query -W -f='${Version}' webapp)"];
  const off = /AUTOPATCH_AUTO_UPDATE\s+value: "(\w+)"/.exec(block("KUBERNETES DEPLOYMENT"))?.[1] ?? "";
  const plain = await run(entrypoint[0] ?? "", app, { AUTOPATCH_AUTO_UPDATE: off });
  const updating = await run(entrypoint[0] ?? "", app, { AUTOPATCH_AUTO_UPDATE: "true" });
  const backups = await run("sh", ["-c", `ls ${kept}/latest/manifest.json`]);

  expect(plain.stdout, plain.stderr).toMatch(/^Initialisation container.*\nHost: +app, [\s\S]*\nstarted 1\.0-1\n$/);
  expect(updating.stdout, updating.stderr).toMatch(/\nAuto-update activé\.\.\.\n[\s\S]*\nstarted 2\.0-1\n$/);
  expect(backups.exitCode).toBe(0);
});
