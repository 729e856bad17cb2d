import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { CommandNotFound, type Exec } from "../../agent/host/exec.ts";
import { HostsFailure } from "./failure.ts";

/**
 * The program that bootstraps: mmdebstrap as installed, or fetched by the machine's own apt into a folder of ours and unpacked there, so that
 * a fresh machine needs no package installed for it. Called with the build lock held.
 * @param folder where it is kept for next time
 * @returns what to execute
 * @throws HostsFailure `toolMissing` with apt's words
 */
export async function findBootstrapper(exec: Exec, folder: string, progress: (phase: string) => void): Promise<string> {
  if (await runs(exec, "mmdebstrap")) return "mmdebstrap";
  const unpacked = join(folder, "mmdebstrap");
  const program = join(unpacked, "usr/bin/mmdebstrap");
  if (existsSync(program) && (await runs(exec, program))) return program;
  progress("fetching mmdebstrap, which is not installed");
  rmSync(folder, { recursive: true, force: true });
  for (const part of ["lists/partial", "archives/partial"]) mkdirSync(join(folder, part), { recursive: true });
  const apt = (options: readonly string[], ...args: string[]) =>
    exec("apt-get", ["-o", "APT::Sandbox::User=root", "-o", `Dir::Cache=${folder}`, ...options, ...args], {
      deadlineMs: 180_000,
      cwd: folder,
    });
  const ownLists = ["-o", `Dir::State::Lists=${join(folder, "lists")}`];
  let got = await apt([], "download", "mmdebstrap");
  if (got.exitCode !== 0) {
    // This machine may never have run apt-get update: do it, in lists of our own.
    await apt(ownLists, "update");
    got = await apt(ownLists, "download", "mmdebstrap");
  }
  const deb = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (got.exitCode === 0 && deb !== undefined) {
    await exec("dpkg-deb", ["--extract", join(folder, deb), unpacked], { deadlineMs: 60_000 });
  }
  for (const name of readdirSync(folder)) if (name !== "mmdebstrap") rmSync(join(folder, name), { recursive: true });
  if (await runs(exec, program)) return program;
  const words = got.exitCode === 0 ? "it needs perl and python3" : got.stderr.trim().split("\n").slice(-3).join("; ");
  throw new HostsFailure(
    "toolMissing",
    `mmdebstrap, with which the base is built, is not installed and cannot be fetched: ${words}\n  apt-get install mmdebstrap`,
  );
}

async function runs(exec: Exec, program: string): Promise<boolean> {
  try {
    return (await exec(program, ["--version"], { deadlineMs: 20_000 })).exitCode === 0;
  } catch (error) {
    if (error instanceof CommandNotFound) return false;
    throw error;
  }
}
