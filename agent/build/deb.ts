import { createHash } from "node:crypto";
import { constants, copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Exec, exec } from "../host/exec.ts";
import { agentTree } from "./agent-tree.ts";
import { readChangelog } from "./changelog.ts";
import { contentOf, controlTree } from "./deb-control.ts";
import { documentTree } from "./documents.ts";
import { type Architecture, DEBIAN_ARCHITECTURE } from "./node-pins.ts";
import { sweep } from "./sweep.ts";
import { must } from "./tool.ts";
import { layTree, type TreeEntry } from "./tree.ts";

export interface DebOptions {
  /** The built executable. */
  readonly executable: string;
  readonly arch: Architecture;
  /** Folder for `autopatch_<version>_<amd64|arm64>.deb`. */
  readonly outdir: string;
  /** Folder for packages by the hash of what is in them. */
  readonly cacheDir: string;
  /** @default that of the changelog */
  readonly version?: string;
  /** Folder of systemd units. @default agent/units */
  readonly units?: string;
  /** xz's level, 0 to 9. @default 6 */
  readonly level?: number;
  /** @default exec */
  readonly exec?: Exec;
}

export interface BuiltDeb {
  readonly path: string;
  /** As Debian names it. */
  readonly architecture: string;
  readonly version: string;
  readonly bytes: number;
  readonly cached: boolean;
}

/**
 * Makes the Debian package, or takes it from the cache when nothing in it has changed. The same contents give the same bytes: all
 * times are the changelog's, or SOURCE_DATE_EPOCH.
 * @throws Error naming the tool that failed and its last words
 */
export async function buildDeb(options: DebOptions): Promise<BuiltDeb> {
  const changelog = readChangelog();
  const version = options.version ?? changelog.version;
  const architecture = DEBIAN_ARCHITECTURE[options.arch];
  const level = options.level ?? 6;
  const content = [...agentTree(options), ...(await documentTree(version, changelog.date))];
  const entries = [...content, ...controlTree(content, { version, architecture, units: options.units })];
  const kept = join(options.cacheDir, `deb-${architecture}-${digestOf(entries, [level, changelog.epoch])}`);
  const cached = existsSync(kept);
  if (!cached) {
    mkdirSync(options.cacheDir, { recursive: true });
    const scratch = mkdtempSync(join(options.cacheDir, "building-"));
    try {
      const [root, made] = [join(scratch, "root"), join(scratch, "made.deb")];
      layTree(root, entries, changelog.epoch);
      await must(
        options.exec ?? exec,
        "dpkg-deb",
        ["--root-owner-group", "-Zxz", `-z${level}`, "--build", root, made],
        {
          deadlineMs: 900_000,
          env: { PATH: process.env.PATH ?? "/usr/bin:/bin", SOURCE_DATE_EPOCH: String(changelog.epoch) },
        },
      );
      renameSync(made, kept);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
    sweep(options.cacheDir, [`deb-${architecture}-`]);
  }
  mkdirSync(options.outdir, { recursive: true });
  const path = join(options.outdir, `autopatch_${version}_${architecture}.deb`);
  rmSync(path, { force: true });
  copyFileSync(kept, path, constants.COPYFILE_FICLONE);
  return { path, architecture, version, bytes: statSync(path).size, cached };
}

/** Names everything that decides a package's bytes. */
function digestOf(entries: readonly TreeEntry[], how: readonly number[]): string {
  const hash = createHash("sha256").update(JSON.stringify(how));
  for (const entry of entries) {
    const { path, kind } = entry;
    hash.update(JSON.stringify([path, kind, kind === "link" ? entry.target : entry.mode]));
    const content = contentOf(entry);
    if (content !== null) hash.update(createHash("sha256").update(content).digest());
  }
  return hash.digest("hex").slice(0, 32);
}
