import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../agent/host/clock.ts";
import { exec } from "../../../agent/host/exec.ts";
import { writeLock } from "../../../agent/patch/lock-file.ts";
import type { Lock, LockEntry } from "../../../contract/lock.ts";
import { HOST_PATHS } from "../../../contract/names.ts";
import { buildDeb } from "../../../local/hosts/sample/deb.ts";
import { debName, type SamplePackage } from "../../../local/hosts/sample/package.ts";
import { type AnyAgentHost, RUN } from "../bench.ts";

/** Two versions of a package. */
export interface Pair {
  readonly old: SamplePackage;
  readonly next: SamplePackage;
}

type Scripts = NonNullable<SamplePackage["scripts"]>;

/** A package whose 2.0 has the given maintainer scripts; its 1.0 is harmless and has state that a script may spoil. */
export function adversary(scripts: Scripts, name = "adversary", oldScripts: Scripts = {}) {
  const common = { name, summary: "package of a test" };
  const files = (version: string) => [
    { path: `/usr/lib/${name}/program`, content: `#!/bin/sh\necho ${version}\n`, mode: 0o755 },
    { path: `/usr/lib/${name}/only-in-${version}`, content: `${version}\n` },
    { path: `/etc/${name}.conf`, content: `version=${version}\n` },
  ];
  const conffiles = [`/etc/${name}.conf`];
  const postinst = `#!/bin/sh\nmkdir -p /var/lib/${name} && echo format=1 > /var/lib/${name}/state\n`;
  return {
    old: { ...common, version: "1.0-1", files: files("1.0-1"), conffiles, scripts: { postinst, ...oldScripts } },
    next: { ...common, version: "2.0-1", files: files("2.0-1"), conffiles, scripts },
  } satisfies Pair;
}

/** Builds a package and installs it with dpkg, as somebody did long ago. */
export async function installPackage(host: AnyAgentHost, one: SamplePackage): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-package-"));
  try {
    mkdirSync(join(folder, "work"));
    host.write("/root/old.deb", readFileSync(await buildDeb(exec, one, join(folder, "work"), folder)));
    const installed = await host.run("dpkg", "-i", "/root/old.deb");
    if (installed.exitCode !== 0) throw new Error(installed.stderr);
    await host.run("rm", "/root/old.deb");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Installs the old packages on a host and writes a lock that upgrades them, as if download had been there.
 * @param added packages that come in new
 */
export async function lockUpgrade(
  host: AnyAgentHost,
  pairs: readonly Pair[],
  removals: Lock["removals"] = [],
  added: readonly SamplePackage[] = [],
): Promise<LockEntry[]> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-adversary-"));
  try {
    const entries: LockEntry[] = [];
    const all = [...pairs, ...added.map((next) => ({ old: null, next }))];
    for (const [i, { old, next }] of all.entries()) {
      mkdirSync(join(folder, `${i}-${next.version}`));
      if (old !== null) await installPackage(host, old);
      const bytes = readFileSync(await buildDeb(exec, next, join(folder, `${i}-${next.version}`), folder));
      host.write(`${HOST_PATHS.archives}/${debName(next)}`, bytes);
      entries.push({
        name: next.name,
        architecture: "all",
        version: next.version,
        from: old?.version ?? null,
        sha256: createHash("sha256").update(bytes).digest("hex"),
        size: bytes.length,
        file: debName(next),
      });
    }
    const lock = { release: "bookworm", architecture: "amd64", entries, removals };
    writeLock(outside(host), RUN, false, lock);
    return entries;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The host's files as a machine of this process, to write what an earlier step would have. */
export function outside(host: AnyAgentHost) {
  const silent = () => {};
  const log = { info: silent, warn: silent, error: silent, violation: silent };
  return { exec, clock: systemClock, root: host.root, log };
}
