import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { HOST_PATHS, PROGRAM_LINKS } from "../../contract/names.ts";
import { DEFAULT_CONFIG } from "./default-config.ts";

export interface LayerOptions {
  /** The built executable. */
  readonly executable: string;
  /** Text of autopatch.conf. @default every key commented out */
  readonly config?: string;
}

/** The agent's folders on a host, with their modes; what is not made here, the agent makes itself. */
const FOLDERS: readonly [path: string, mode: number][] = [
  [dirname(HOST_PATHS.executable), 0o755],
  ["/usr/local/bin", 0o755],
  [dirname(HOST_PATHS.config), 0o755],
  [HOST_PATHS.healthChecks, 0o755],
  [HOST_PATHS.logs, 0o755],
  [HOST_PATHS.state, 0o700],
  ["/usr/lib/tmpfiles.d", 0o755],
];

/** Debian 13 removes from /var/tmp what is older than 30 days: locks, downloads and backups are not for it to judge. */
const KEPT_IN_VAR_TMP = `x ${HOST_PATHS.work}\nx ${HOST_PATHS.work}_*\n`;

/**
 * Lays the installed agent out in a folder, as its package will: to be stacked over a host's root, or copied into it.
 * @param dir an empty folder
 */
export function layAgent(dir: string, options: LayerOptions): void {
  for (const [path, mode] of FOLDERS) {
    // A layer's folder stands for the host's own: each on the way there gets the mode it has on every Debian host.
    for (let at = path; at !== "/"; at = dirname(at)) {
      mkdirSync(join(dir, at), { recursive: true });
      chmodSync(join(dir, at), at === path ? mode : 0o755);
    }
  }
  copyFileSync(options.executable, join(dir, HOST_PATHS.executable));
  chmodSync(join(dir, HOST_PATHS.executable), 0o755);
  for (const link of Object.keys(PROGRAM_LINKS)) symlinkSync(HOST_PATHS.executable, join(dir, "/usr/local/bin", link));
  writeFileSync(join(dir, "/usr/lib/tmpfiles.d/autopatch.conf"), KEPT_IN_VAR_TMP);
  chmodSync(join(dir, "/usr/lib/tmpfiles.d/autopatch.conf"), 0o644);
  writeFileSync(join(dir, HOST_PATHS.config), options.config ?? DEFAULT_CONFIG);
  chmodSync(join(dir, HOST_PATHS.config), 0o600);
}
