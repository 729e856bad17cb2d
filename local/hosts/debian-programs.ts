import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Exec } from "../../agent/host/exec.ts";
import { HostsFailure } from "./failure.ts";

/**
 * Unpacks Debian packages below a folder, fetched by the machine's own apt: their programs can be run from there, and no service of
 * theirs is installed or started.
 * @param folder where they are kept for next time
 * @returns the folder that stands for their `/`
 * @throws HostsFailure `toolMissing` with apt's words
 */
export async function unpackPrograms(exec: Exec, folder: string, packages: readonly string[]): Promise<string> {
  const root = join(folder, [...packages].sort().join("+"));
  if (existsSync(root)) return root;
  mkdirSync(folder, { recursive: true });
  const scratch = mkdtempSync(join(folder, "fetching-"));
  try {
    const options = ["-o", "APT::Sandbox::User=root"];
    const fetch = (args: readonly string[]) =>
      exec("apt-get", [...options, ...args], { deadlineMs: 180_000, cwd: scratch });
    let got = await fetch(["download", ...packages]);
    if (got.exitCode !== 0) {
      await fetch(["-qq", "update"]);
      got = await fetch(["download", ...packages]);
    }
    if (got.exitCode !== 0) {
      const words = got.stderr.trim().split("\n").slice(-3).join("; ");
      throw new HostsFailure("toolMissing", `${packages.join(", ")} cannot be fetched: ${words}`);
    }
    for (const deb of readdirSync(scratch).filter((name) => name.endsWith(".deb")))
      await exec("dpkg-deb", ["--extract", join(scratch, deb), join(scratch, "root")], { deadlineMs: 120_000 });
    mkdirSync(dirname(root), { recursive: true });
    renameSync(join(scratch, "root"), root);
    return root;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
