import { createHash } from "node:crypto";
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Exec, exec } from "../host/exec.ts";
import { bundleAgent } from "./bundle.ts";
import { findNode, type OwnNodes } from "./node-binary.ts";
import { ARCHITECTURES, type Architecture } from "./node-pins.ts";
import { sweep } from "./sweep.ts";
import { isInstalled, must } from "./tool.ts";

/** Raised when the recipe below changes, so that no executable of an older one is taken from the cache. */
const RECIPE = 4;
/** The mark by which a Node executable knows that a program was put into it; documented with Node's single executables. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
/** The strip of each architecture on this machine; x64's own is Debian's plain one. */
const STRIP: Readonly<Record<Architecture, readonly string[]>> = {
  x64: ["x86_64-linux-gnu-strip", ...(process.arch === "x64" ? ["strip"] : [])],
  arm64: ["aarch64-linux-gnu-strip", ...(process.arch === "arm64" ? ["strip"] : [])],
};

export interface BuildOptions {
  /** Folder for `autopatch-<arch>`. */
  readonly outdir: string;
  /** Folder for executables by the hash of what they were made of. */
  readonly cacheDir: string;
  /** @default x64 */
  readonly arch?: Architecture;
  /** Node binaries of one's own. @default the pinned ones */
  readonly nodes?: OwnNodes;
  /** @default exec */
  readonly exec?: Exec;
}

export interface BuiltAgent {
  readonly path: string;
  readonly arch: Architecture;
  readonly bytes: number;
  /** Hash of all inputs, which names it in the cache. */
  readonly inputs: string;
  readonly cached: boolean;
  /** Without debugging symbols; false where no strip for its architecture is installed. */
  readonly stripped: boolean;
  /** The Node binary inside; not pinned when it is one's own. */
  readonly node: { readonly sha256: string; readonly pinned: boolean };
}

/**
 * Builds the agent as one executable without need of Node on the host, or takes it from the cache when nothing it is made of
 * has changed. The same inputs give the same bytes, wherever they are built.
 * @throws Error naming the tool that failed and its last words, or the Node binary that is not the pinned one
 */
export async function buildAgent(options: BuildOptions): Promise<BuiltAgent> {
  const run = options.exec ?? exec;
  const arch = options.arch ?? "x64";
  const nodes = options.nodes ?? {};
  const node = await findNode(run, arch, nodes, options.cacheDir);
  const maker = await findMaker(run, arch, nodes, options.cacheDir);
  const strip = STRIP[arch].find(isInstalled);
  const bundle = await bundleAgent();
  const inputs = createHash("sha256")
    .update(JSON.stringify([RECIPE, arch, node.sha256, process.arch, strip !== undefined]))
    .update(bundle)
    .digest("hex")
    .slice(0, 32);
  const kept = join(options.cacheDir, `autopatch-${arch}-${inputs}`);
  const cached = existsSync(kept);
  if (!cached) await make(run, { node: node.path, maker, arch, bundle, strip, kept, cacheDir: options.cacheDir });
  mkdirSync(options.outdir, { recursive: true });
  const path = join(options.outdir, `autopatch-${arch}`);
  // Beside and renamed: an executable that is running cannot be written over.
  const beside = `${path}.${process.pid}`;
  copyFileSync(kept, beside, constants.COPYFILE_FICLONE);
  renameSync(beside, path);
  const bytes = statSync(path).size;
  const { sha256, pinned } = node;
  return { path, arch, bytes, inputs, cached, stripped: strip !== undefined, node: { sha256, pinned } };
}

/** The Node of this machine's architecture, which prepares the program; of the same release as the one it is put into. */
async function findMaker(run: Exec, arch: Architecture, nodes: OwnNodes, cacheDir: string): Promise<string> {
  const here = ARCHITECTURES.find((one) => one === process.arch);
  if (here === undefined)
    throw new Error(`the agent is built on ${ARCHITECTURES.join(" or ")}, not on ${process.arch}`);
  if (here !== arch && nodes[arch] !== undefined && nodes[here] === undefined)
    throw new Error(`a Node of your own for ${arch} needs one of the same release for ${here}, which prepares it`);
  const { path } = await findNode(run, here, nodes[arch] === undefined && here !== arch ? {} : nodes, cacheDir);
  return path;
}

interface Make {
  readonly node: string;
  readonly maker: string;
  readonly arch: Architecture;
  readonly bundle: string;
  readonly strip: string | undefined;
  readonly kept: string;
  readonly cacheDir: string;
}

async function make(run: Exec, { node, maker, arch, bundle, strip, kept, cacheDir }: Make): Promise<void> {
  mkdirSync(cacheDir, { recursive: true });
  const scratch = mkdtempSync(join(cacheDir, "building-"));
  try {
    const at = (name: string) => join(scratch, name);
    writeFileSync(at("agent.cjs"), bundle);
    const config = {
      // By its bare name: the path goes into the executable.
      main: "agent.cjs",
      output: "agent.blob",
      disableExperimentalSEAWarning: true,
      // Compiled code is of the machine that compiled it.
      useCodeCache: arch === process.arch,
      useSnapshot: false,
      // Neither NODE_OPTIONS nor a flag may put code into a program that runs as root; nor may OPENSSL_CONF, by which OpenSSL
      // loads any shared library it names before the first line of ours; nor may a signal open a debugger's port, which any user of
      // the host could then reach.
      execArgvExtension: "none",
      execArgv: ["--openssl-config=/dev/null", "--disable-sigusr1"],
    };
    writeFileSync(at("sea.json"), JSON.stringify(config));
    // Compiled code holds hashes under a seed that is else random; this one, unlike --hash-seed, leaves the code usable later.
    await must(run, maker, ["--random-seed=1", "--experimental-sea-config", "sea.json"], { cwd: scratch });
    copyFileSync(node, at("autopatch"));
    chmodSync(at("autopatch"), 0o755);
    // Before the program is put in: strip would take it out again.
    if (strip !== undefined) await must(run, strip, [at("autopatch")]);
    const inject = [at("autopatch"), "NODE_SEA_BLOB", at("agent.blob"), "--sentinel-fuse", FUSE];
    await must(run, maker, [postject(), ...inject]);
    renameSync(at("autopatch"), kept);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  sweep(cacheDir, [`autopatch-${arch}-`]);
}

function postject(): string {
  return fileURLToPath(new URL("../../node_modules/postject/dist/cli.js", import.meta.url));
}
