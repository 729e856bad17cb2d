import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { HOST_PATHS, PROGRAM_LINKS } from "../../contract/names.ts";
import { CRONTAB_PATH as CRONTAB } from "../daemon/units.ts";
import { file } from "./agent-tree.ts";
import { fromTemplate } from "./template.ts";
import type { TreeEntry } from "./tree.ts";
import { ENABLED, unitFiles } from "./unit-files.ts";

export interface ControlOptions {
  readonly version: string;
  /** As Debian names it. */
  readonly architecture: string;
  /** Folder of systemd units. @default agent/units */
  readonly units?: string | undefined;
}

/** The package's control files under /DEBIAN: what dpkg has to know of the entries, and the maintainer scripts. */
export function controlTree(entries: readonly TreeEntry[], options: ControlOptions): TreeEntry[] {
  const units = unitFiles(options.units)
    .filter(({ text }) => /^\[Install\]$/m.test(text))
    .map(({ name }) => name);
  const enabled = units.filter((name) => ENABLED.includes(name));
  const ENABLED_UNITS = enabled.join(" ");
  const OTHER_UNITS = units.filter((name) => !ENABLED.includes(name)).join(" ");
  const ENABLED_TIMERS = enabled.filter((name) => name.endsWith(".timer")).join(" ");
  const LINKS = Object.keys(PROGRAM_LINKS).join(" ");
  const { logs: LOGS, state: STATE, work: WORK, backups: BACKUPS } = HOST_PATHS;
  const conffiles = entries.filter((entry) => entry.path.startsWith("/etc/") && entry.kind === "file");
  const installedSize = entries.reduce((sum, entry) => sum + Math.ceil(bytesOf(entry) / 1024), 0);
  const control = { VERSION: options.version, ARCHITECTURE: options.architecture, INSTALLED_SIZE: installedSize };
  return [
    file("/DEBIAN/control", fromTemplate("control", control)),
    file("/DEBIAN/conffiles", conffiles.map(({ path }) => `${path}\n`).join("")),
    file("/DEBIAN/md5sums", md5sums(entries.filter((entry) => !conffiles.includes(entry)))),
    file(
      "/DEBIAN/postinst",
      fromTemplate("postinst", { LINKS, ENABLED_UNITS, OTHER_UNITS, ENABLED_TIMERS, CRONTAB }),
      0o755,
    ),
    file("/DEBIAN/prerm", fromTemplate("prerm", { LINKS, ENABLED_UNITS, OTHER_UNITS, STATE }), 0o755),
    file(
      "/DEBIAN/postrm",
      fromTemplate("postrm", { ENABLED_UNITS, OTHER_UNITS, CRONTAB, LOGS, STATE, WORK, BACKUPS }),
      0o755,
    ),
  ];
}

function md5sums(entries: readonly TreeEntry[]): string {
  const lines = entries.flatMap((entry) => {
    const content = contentOf(entry);
    return content === null ? [] : [`${createHash("md5").update(content).digest("hex")}  ${entry.path.slice(1)}\n`];
  });
  return lines.join("");
}

/** The bytes of a file, null for folders and links. */
export function contentOf(entry: TreeEntry): string | Uint8Array | null {
  if (entry.kind === "copy") return readFileSync(entry.from);
  return entry.kind === "file" ? entry.content : null;
}

/** What Debian counts for the installed size: a kibibyte for what has no content. */
function bytesOf(entry: TreeEntry): number {
  if (entry.kind === "copy") return statSync(entry.from).size;
  return entry.kind === "file" ? Buffer.byteLength(entry.content) : 1;
}
