import { createHash } from "node:crypto";
import { chmodSync, lutimesSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Exec } from "../../../agent/host/exec.ts";
import { HostsFailure } from "../failure.ts";
import { debName, type SamplePackage } from "./package.ts";

/** Seconds since 1970 of every file in the sample packages, so that the same table gives the same bytes. */
const EPOCH = 1_735_689_600;

/** The control stanza of a package, without what only the finished file knows. Pure. */
export function controlFields(one: SamplePackage): string {
  const fields = {
    Package: one.name,
    Version: one.version,
    Architecture: one.architecture ?? "all",
    Maintainer: "AutoPatch sample <sample@autopatch.invalid>",
    "Installed-Size": String(Math.max(1, one.files.length * 4)),
    Section: "misc",
    Priority: "optional",
    ...one.fields,
    Description: one.summary,
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
}

/**
 * Builds one .deb (xz, which Debian 11's dpkg can read) in `pool`.
 * @param work empty folder for the tree of this package
 * @returns path of the .deb
 * @throws HostsFailure `commandFailed` with dpkg-deb's words
 */
export async function buildDeb(exec: Exec, one: SamplePackage, work: string, pool: string): Promise<string> {
  const sums: string[] = [];
  for (const file of one.files) {
    const path = join(work, file.path);
    mkdirSync(dirname(path), { recursive: true });
    if (file.link !== undefined) {
      symlinkSync(file.link, path);
      continue;
    }
    writeFileSync(path, file.content ?? "");
    chmodSync(path, file.mode ?? 0o644);
    sums.push(
      `${createHash("md5")
        .update(file.content ?? "")
        .digest("hex")}  ${file.path.slice(1)}\n`,
    );
  }
  const control = join(work, "DEBIAN");
  mkdirSync(control);
  writeFileSync(join(control, "control"), controlFields(one));
  writeFileSync(join(control, "md5sums"), sums.join(""));
  if (one.conffiles !== undefined)
    writeFileSync(join(control, "conffiles"), one.conffiles.map((path) => `${path}\n`).join(""));
  for (const [name, content] of Object.entries(one.scripts ?? {})) {
    writeFileSync(join(control, name), content);
    chmodSync(join(control, name), 0o755);
  }
  settle(work);
  const deb = join(pool, debName(one));
  const built = await exec("dpkg-deb", ["--root-owner-group", "-Zxz", "--build", work, deb], {
    deadlineMs: 60_000,
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin", SOURCE_DATE_EPOCH: String(EPOCH) },
  });
  if (built.exitCode === 0) return deb;
  throw new HostsFailure(
    "commandFailed",
    `${debName(one)}: dpkg-deb ended with ${built.exitCode}: ${built.stderr.trim()}`,
  );
}

/** Folder modes independent of the umask, and one time for everything. */
function settle(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) settle(path);
    else lutimesSync(path, EPOCH, EPOCH);
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, EPOCH, EPOCH);
}
