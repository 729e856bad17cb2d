import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { HOST_PATHS, PROGRAM_LINKS } from "../../contract/names.ts";
import { type Exec, exec } from "../host/exec.ts";
import { file } from "./agent-tree.ts";
import { readChangelog } from "./changelog.ts";
import type { BuiltDeb } from "./deb.ts";
import { fromTemplate } from "./template.ts";
import { must } from "./tool.ts";
import { layTree } from "./tree.ts";

const MANAGER = "autopatch-manager.sh";

export interface BundleOptions {
  /** The packages that are carried, of one version. */
  readonly debs: readonly BuiltDeb[];
  /** Folder for `autopatch-bundle.tar.gz`. */
  readonly outdir: string;
  /** @default exec */
  readonly exec?: Exec;
}

/**
 * Makes autopatch-bundle.tar.gz, as user data fetches it. Who copies only `autopatch-*.sh` out of it has all: autopatch-manager.sh
 * carries the packages and installs that of the host's architecture when it is first called.
 * @throws Error naming the tool that failed and its last words
 */
export async function buildBundle({
  debs,
  outdir,
  exec: run = exec,
}: BundleOptions): Promise<{ path: string; bytes: number }> {
  const scripts: [string, Uint8Array][] = Object.entries(PROGRAM_LINKS).map(([name, program]) => [
    name,
    name === MANAGER ? carrying(debs) : Buffer.from(launcher(program)),
  ]);
  const sums = scripts.map(([name, content]) => `${createHash("sha256").update(content).digest("hex")}  ${name}\n`);
  const { epoch } = readChangelog();
  mkdirSync(outdir, { recursive: true });
  const scratch = mkdtempSync(join(outdir, "bundling-"));
  try {
    const files = [
      ...scripts.map(([name, content]) => file(`/${name}`, content, 0o755)),
      file("/SHA256SUMS", sums.join("")),
    ];
    layTree(scratch, files, epoch);
    const path = join(outdir, "autopatch-bundle.tar.gz");
    const names = files.map((entry) => entry.path.slice(1)).sort();
    const owner = ["--owner=root:0", "--group=root:0", "--format=ustar"];
    // The packages are compressed already: gzip is only what its name promises.
    await must(run, "tar", ["-C", scratch, ...owner, "--use-compress-program=gzip -n -1", "-cf", path, ...names]);
    return { path, bytes: statSync(path).size };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function launcher(program: string): string {
  return fromTemplate("bundle-launcher.sh", { EXECUTABLE: HOST_PATHS.executable, PROGRAM: program });
}

/** The manager's script with the packages behind its last line. */
function carrying(debs: readonly BuiltDeb[]): Uint8Array {
  const version = debs[0]?.version ?? "";
  const payload = (["amd64", "arm64"] as const).map((architecture) => {
    const deb = debs.find((one) => one.architecture === architecture);
    return { architecture, bytes: deb === undefined ? Buffer.alloc(0) : readFileSync(deb.path) };
  });
  // Where each begins depends on the script's own length, which depends on how many digits that takes.
  let head = "";
  for (let length = -1; length !== Buffer.byteLength(head); ) {
    length = Buffer.byteLength(head);
    let from = length + 1;
    const values: Record<string, string | number> = { VERSION: version, EXECUTABLE: HOST_PATHS.executable };
    for (const { architecture, bytes } of payload) {
      const name = architecture.toUpperCase();
      values[`${name}_FROM`] = from;
      values[`${name}_BYTES`] = bytes.length;
      values[`${name}_SHA256`] = createHash("sha256").update(bytes).digest("hex");
      from += bytes.length;
    }
    head = fromTemplate("bundle-manager.sh", values);
  }
  return Buffer.concat([Buffer.from(head), ...payload.map(({ bytes }) => bytes)]);
}
