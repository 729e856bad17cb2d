import { dirname } from "node:path";
import { HOST_PATHS, PROGRAM_LINKS } from "../../contract/names.ts";
import { defaultConfig } from "./default-config.ts";
import { fromTemplate } from "./template.ts";
import type { TreeEntry } from "./tree.ts";
import { unitFiles } from "./unit-files.ts";

/**
 * What /usr/local/bin's links lead to: a launcher for each name. Not the executable itself, because `cp autopatch-*.sh
 * /usr/local/bin/`, as user data does it, writes through links.
 */
export const LAUNCHERS = `${dirname(HOST_PATHS.executable)}/bin`;

/** Debian 13 removes from /var/tmp what is older than 30 days: locks, downloads and backups are not for it to judge. */
const KEPT_IN_VAR_TMP = `x ${HOST_PATHS.work}\nx ${HOST_PATHS.work}_*\n`;

export interface AgentTreeOptions {
  /** The built executable. */
  readonly executable: string;
  /** Text of autopatch.conf. @default every key commented out */
  readonly config?: string;
  /** Folder of systemd units. @default agent/units */
  readonly units?: string;
}

/** The agent's own files on a host; what is not here, it makes itself. */
export function agentTree({ executable, config, units }: AgentTreeOptions): TreeEntry[] {
  return [
    { path: HOST_PATHS.executable, kind: "copy", mode: 0o755, from: executable },
    ...Object.entries(PROGRAM_LINKS).map(([name, program]) => file(`${LAUNCHERS}/${name}`, launcher(program), 0o755)),
    { path: "/usr/sbin/autopatch", kind: "link", target: "../lib/autopatch/autopatch" },
    file(HOST_PATHS.config, config ?? defaultConfig(), 0o600),
    { path: HOST_PATHS.healthChecks, kind: "folder", mode: 0o755 },
    { path: HOST_PATHS.logs, kind: "folder", mode: 0o755 },
    { path: HOST_PATHS.state, kind: "folder", mode: 0o700 },
    file("/usr/lib/tmpfiles.d/autopatch.conf", KEPT_IN_VAR_TMP),
    file("/etc/logrotate.d/autopatch", fromTemplate("logrotate", { LOGS: HOST_PATHS.logs })),
    ...unitFiles(units).map(({ name, text }) => file(`/usr/lib/systemd/system/${name}`, text)),
  ];
}

/** The links by which scripts call the programs; a package may not ship them, its postinst makes them. */
export function programLinks(): TreeEntry[] {
  return Object.keys(PROGRAM_LINKS).map((name) => ({
    path: `/usr/local/bin/${name}`,
    kind: "link",
    target: `${LAUNCHERS}/${name}`,
  }));
}

export function file(path: string, content: string | Uint8Array, mode = 0o644): TreeEntry {
  return { path, kind: "file", mode, content };
}

function launcher(program: string): string {
  return fromTemplate("launcher.sh", { EXECUTABLE: HOST_PATHS.executable, PROGRAM: program });
}
