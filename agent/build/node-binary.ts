import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { Exec } from "../host/exec.ts";
import { type Architecture, NODE_PINS } from "./node-pins.ts";
import { must } from "./tool.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** One's own Node binaries, in place of the pinned ones. */
export type OwnNodes = Readonly<Partial<Record<Architecture, string>>>;

export interface NodeBinary {
  readonly path: string;
  readonly sha256: string;
  /** False for one's own. */
  readonly pinned: boolean;
}

/**
 * The Node binary an agent is made of: one's own, or that of the locked npm package, never the one that happens to run this.
 * npm installs only the package of this machine's architecture; the other one is fetched into the cache.
 * @throws Error when a binary has another hash than the pin, naming both, or when npm cannot fetch it
 */
export async function findNode(run: Exec, arch: Architecture, own: OwnNodes, cacheDir: string): Promise<NodeBinary> {
  const given = own[arch];
  if (given !== undefined) {
    if (!existsSync(given)) throw new Error(`--node: there is no file ${given}`);
    return { path: given, sha256: sha256Of(given), pinned: false };
  }
  const path = installed(arch) ?? (await fetched(run, arch, cacheDir));
  const sha256 = sha256Of(path);
  const pin = NODE_PINS[arch];
  if (sha256 === pin.sha256) return { path, sha256, pinned: true };
  throw new Error(
    `${path}: its SHA-256 is ${sha256}, the pin of ${pin.package} says ${pin.sha256}.\n` +
      "  Remove that file and run npm ci, or name a binary of your own with --node PATH (--node-arm64 PATH).",
  );
}

function installed(arch: Architecture): string | null {
  try {
    const file = createRequire(import.meta.url).resolve(`${NODE_PINS[arch].package}/package.json`);
    return join(file, "../bin/node");
  } catch {
    return null;
  }
}

async function fetched(run: Exec, arch: Architecture, cacheDir: string): Promise<string> {
  const name = NODE_PINS[arch].package;
  const version = lockedVersion(name);
  const kept = join(cacheDir, `${name}-${version}`);
  if (existsSync(kept)) return kept;
  mkdirSync(cacheDir, { recursive: true });
  const scratch = mkdtempSync(join(cacheDir, "fetching-"));
  try {
    const args = ["pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", scratch, `${name}@${version}`];
    await must(run, "npm", args, { cwd: ROOT, env: asItIs(), deadlineMs: 600_000 });
    await must(run, "tar", ["-xzf", join(scratch, `${name}-${version}.tgz`), "-C", scratch, "package/bin/node"]);
    renameSync(join(scratch, "package/bin/node"), kept);
    return kept;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The environment of whoever builds: npm finds its registry, proxy and certificates by it. */
function asItIs(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function lockedVersion(name: string): string {
  const { optionalDependencies } = z
    .object({ optionalDependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));
  const version = optionalDependencies[name];
  if (version === undefined) throw new Error(`package.json: ${name} is not among optionalDependencies`);
  return version;
}

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
