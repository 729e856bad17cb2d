import { existsSync, readFileSync } from "node:fs";
import type { Exec } from "../../agent/host/exec.ts";
import { HostsFailure } from "./failure.ts";

/** Debian releases whose mirror also carries the release of the hosts. */
const RELEASES = ["bullseye", "bookworm", "trixie", "forky"];

/** The file Debian itself signs its archive with, in every Debian root. */
export const ARCHIVE_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Where this machine gets Debian packages from, read from its own apt configuration. */
export interface MachineArchive {
  /** Mirror of the pocket main. */
  readonly mirror: string;
  /** Mirror of the pocket security. */
  readonly security: string;
  /** Keyring that the mirror's Release is checked with: a path on the machine, or an armoured key. */
  readonly signedBy: string;
  /** apt.conf lines that say how to get there (proxies, retries, date checks), for the hosts as well. */
  readonly access: readonly string[];
}

/**
 * Asks apt itself, which reads deb822 and one-line sources alike.
 * @param environment of this process, for http_proxy and https_proxy, which apt obeys when it is not configured
 * @throws HostsFailure `archiveMissing` with what was found instead.
 */
export async function readMachineArchive(
  exec: Exec,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<MachineArchive> {
  // Without lists and release info apt answers from the sources alone: at once, and also where no lists were ever fetched.
  const alone = ["-o", "Dir::State::Lists=/run/none", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="];
  const format = "$(SOURCESENTRY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)";
  const asked = ["indextargets", "--no-release-info", "--format", format, "Created-By: Packages"];
  const listed = await exec("apt-get", [...alone, ...asked], { deadlineMs: 30_000 });
  const targets = listed.stdout.split("\n").flatMap((line) => {
    const [entry, uri, release, component] = line.split("\t");
    return entry && uri && release && component === "main" ? [{ entry, uri, release }] : [];
  });
  const main = targets.find((target) => RELEASES.includes(target.release));
  const security = targets.find((target) => RELEASES.some((release) => target.release === `${release}-security`));
  if (main === undefined || security === undefined) {
    const found = [...new Set(targets.map((target) => `${target.uri} ${target.release}`))].join(", ") || "nothing";
    throw new HostsFailure(
      "archiveMissing",
      `apt's configuration names no Debian archive with the pockets main and security; it names ${found}.\n` +
        "  Give /etc/apt/sources.list.d a source for a Debian release and for its -security pocket.",
    );
  }
  const dump = await exec("apt-config", ["dump"], { deadlineMs: 30_000 });
  return {
    mirror: main.uri,
    security: security.uri,
    signedBy: signedByOf(main.entry),
    access: accessSettings(dump.stdout, environment),
  };
}

/** The settings of `apt-config dump` that decide how the archive is reached. Pure. */
export function accessSettings(
  dump: string,
  environment: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  const wanted =
    /^Acquire::(?:(?:https?|ftp|socks)::(?!Proxy-Auto-Detect)[\w:.-]+|Retries|Check-Valid-Until|Check-Date) "[^"]+";$/;
  const settings = dump.split("\n").filter((line) => wanted.test(line));
  for (const scheme of ["http", "https"]) {
    const proxy = environment[`${scheme}_proxy`];
    const configured = settings.some((line) => line.startsWith(`Acquire::${scheme}::Proxy `));
    if (proxy && !configured && !/["\n]/.test(proxy)) settings.push(`Acquire::${scheme}::Proxy "${proxy}";`);
  }
  return settings;
}

/** @param entry `FILE:N` as apt names a source: the line of a one-line list, the stanza of a deb822 file */
function signedByOf(entry: string): string {
  const [, file, number] = /^(.*):(\d+)$/.exec(entry) ?? [];
  if (file === undefined || !existsSync(file)) return ARCHIVE_KEYRING;
  const text = readFileSync(file, "utf8");
  const found = file.endsWith(".sources")
    ? signedByOfStanza(text, Number(number))
    : /\bsigned-by=([^\s\]]+)/i.exec(text.split("\n")[Number(number) - 1] ?? "")?.[1];
  return found?.split(",")[0] || ARCHIVE_KEYRING;
}

/** Signed-By of the nth stanza (from 1) of a deb822 file: a path, or an armoured key with its line breaks back. */
export function signedByOfStanza(text: string, number: number): string | undefined {
  const stanzas = text
    .split(/\n(?:[ \t]*\n)+/)
    .map((stanza) => stanza.split("\n").filter((line) => !line.startsWith("#")))
    .filter((lines) => lines.some((line) => /\S/.test(line)));
  const lines = stanzas[number - 1] ?? [];
  const start = lines.findIndex((line) => /^signed-by:/i.test(line));
  if (start < 0) return undefined;
  const rest = lines.slice(start + 1);
  const end = rest.findIndex((line) => !/^[ \t]/.test(line));
  const continued = rest.slice(0, end < 0 ? rest.length : end).map((line) => line.trim());
  const first = (lines[start] ?? "").replace(/^signed-by:\s*/i, "").trim();
  if (continued.length === 0) return first.split(/\s+/)[0];
  return `${[first, ...continued.map((line) => (line === "." ? "" : line))].join("\n").trim()}\n`;
}
