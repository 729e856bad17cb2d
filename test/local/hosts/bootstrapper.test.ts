import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Exec } from "../../../agent/host/exec.ts";
import { openSandbox, type Sandbox } from "../../../agent/host/sandbox/sandbox.ts";
import { openBase } from "../../../local/hosts/base.ts";
import { findBootstrapper } from "../../../local/hosts/bootstrapper.ts";
import { type Hosts, openHosts } from "../../../local/hosts/host.ts";

let folder: string;
let hosts: Hosts;
let machine: Sandbox;

// A fresh machine: minbase, sources, no mmdebstrap, and apt-get update never run. The folder is the same inside and outside.
beforeAll(async () => {
  folder = mkdtempSync("/var/tmp/bootstrapper-test-");
  const base = await openBase({ variant: "minimal" });
  hosts = await openHosts({ base, count: 1 });
  const prepared = await hosts.create({ id: "i-1", name: "fresh", sources: ["debian"] });
  await prepared.sandbox.close({ keep: true });
  machine = await openSandbox({
    layers: [prepared.sandbox.upper, base.root],
    workspace: join(hosts.folder, "fresh"),
    network: "shared",
    binds: [{ from: folder, to: folder, readOnly: false }],
  });
});

afterAll(async () => {
  await machine.close();
  await hosts.closeAll();
  rmSync(folder, { recursive: true });
});

test("on a machine without mmdebstrap it is fetched once, by the machine's apt, and nothing is installed", async () => {
  const phases: string[] = [];
  const installed = async () => (await machine.exec("dpkg-query", ["-W"], { deadlineMs: 10_000 })).stdout;
  const before = await installed();

  const first = await findBootstrapper(machine.exec, join(folder, "tools"), (phase) => phases.push(phase)).catch(
    String,
  );
  const again = await findBootstrapper(machine.exec, join(folder, "tools"), (phase) => phases.push(phase)).catch(
    String,
  );

  expect({ first, again, phases }).toEqual({
    first: join(folder, "tools/mmdebstrap/usr/bin/mmdebstrap"),
    again: first,
    phases: ["fetching mmdebstrap, which is not installed"],
  });
  expect(readdirSync(join(folder, "tools"))).toEqual(["mmdebstrap"]);
  expect(await installed()).toBe(before);
  expect(readdirSync(join(machine.root, "var/lib/apt/lists")).filter((name) => name.includes("Release"))).toEqual([]);
});

test("when it cannot be fetched the failure gives apt's words and the package to install", async () => {
  const offline: Exec = (file, args, options) =>
    machine.exec(
      file,
      file === "apt-get"
        ? ["-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null", ...args]
        : args,
      options,
    );

  await expect(findBootstrapper(offline, join(folder, "none"), () => {})).rejects.toMatchObject({
    code: "toolMissing",
    message:
      "mmdebstrap, with which the base is built, is not installed and cannot be fetched: E: Unable to locate package mmdebstrap\n" +
      "  apt-get install mmdebstrap",
  });
  expect(existsSync(join(folder, "none/mmdebstrap"))).toBe(false);
});
