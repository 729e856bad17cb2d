import { readdirSync } from "node:fs";
import { parseStanzas } from "./apt-output.ts";
import { codeOf, onMachine, readTrusted } from "./files.ts";
import type { Machine } from "./machine.ts";

/** One repository of the host's configuration: one URI with one suite. */
export interface AptSource {
  /** File it stands in. */
  readonly file: string;
  readonly uri: string;
  readonly suite: string;
  /** As written: paths, fingerprints, or a whole key block; null for the keys in trusted.gpg.d. */
  readonly signedBy: string | null;
  /** Names of the options by which it is held to less than a signed and fresh Release file: `trusted`, `allow-insecure`. */
  readonly weakened: readonly string[];
}

/** Options of sources.list(5) that take a guard away, and the value that does. */
const WEAKENING: Readonly<Record<string, RegExp>> = {
  trusted: /^(yes|true|with|on|enable|1)$/i,
  "allow-insecure": /^(yes|true|with|on|enable|1)$/i,
  "allow-weak": /^(yes|true|with|on|enable|1)$/i,
  "allow-downgrade-to-insecure": /^(yes|true|with|on|enable|1)$/i,
  "check-valid-until": /^(no|false|without|off|disable|0)$/i,
  "check-date": /^(no|false|without|off|disable|0)$/i,
};

function weakenedBy(option: (name: string) => string | undefined): string[] {
  return Object.keys(WEAKENING).filter((name) => WEAKENING[name]?.test(option(name)?.trim() ?? "") === true);
}

/**
 * Every enabled binary repository, from both formats; nothing is ever written there.
 * @throws Failure `pathUnsafe` for a file that anybody but root could have written: it names the keys to trust
 */
export function readAptSources(machine: Pick<Machine, "root">): AptSource[] {
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list", ...list(machine, folder).map((name) => `${folder}/${name}`)];
  return files.flatMap((file) => {
    if (!file.endsWith(".list") && !file.endsWith(".sources")) return [];
    const text = read(machine, file);
    return file.endsWith(".sources") ? parseDeb822Sources(text, file) : parseOneLineSources(text, file);
  });
}

/** Pure: sources.list(5), deb822 format. */
export function parseDeb822Sources(text: string, file: string): AptSource[] {
  const uncommented = text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n");
  return parseStanzas(uncommented).flatMap((fields) => {
    const words = (name: string) => (field(fields, name) ?? "").split(/\s+/).filter((word) => word !== "");
    if (!words("Types").includes("deb") || /^(no|false|0|off|disable)$/i.test(field(fields, "Enabled") ?? ""))
      return [];
    const signedBy = field(fields, "Signed-By")?.trim() || null;
    const weakened = weakenedBy((name) => field(fields, name));
    return words("URIs").flatMap((uri) => words("Suites").map((suite) => ({ file, uri, suite, signedBy, weakened })));
  });
}

/** Pure: sources.list(5), one-line format. */
export function parseOneLineSources(text: string, file: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)/.exec(line.replace(/#.*/, ""));
    if (match === null) return [];
    const [, options = "", uri = "", suite = ""] = match;
    const option = (name: string) => new RegExp(`(?:^|\\s)${name}=(\\S+)`, "i").exec(options)?.[1];
    return [{ file, uri, suite, signedBy: option("signed-by") ?? null, weakened: weakenedBy(option) }];
  });
}

/** The source whose indexes lie under a base URI, as `apt-get indextargets` names it. Pure. */
export function sourceOf(sources: readonly AptSource[], baseUri: string): AptSource | undefined {
  return sources.find((source) => {
    // A suite that ends in a slash is a path: a repository without dists/.
    const path = source.suite.endsWith("/") ? source.suite : `dists/${source.suite}`;
    return normal(`${source.uri}/${path}`) === normal(baseUri);
  });
}

function normal(uri: string): string {
  const [, scheme = "", rest = ""] = /^([a-z0-9+]+:\/*)(.*)$/i.exec(uri) ?? [];
  return (
    scheme.replace(/\/+$/, "") +
    rest
      .split("/")
      .filter((part) => part !== "" && part !== ".")
      .join("/")
  );
}

function field(fields: ReadonlyMap<string, string>, name: string): string | undefined {
  for (const [key, value] of fields) if (key.toLowerCase() === name.toLowerCase()) return value;
  return undefined;
}

function list(machine: Pick<Machine, "root">, folder: string): string[] {
  try {
    return readdirSync(onMachine(machine, folder)).sort();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

function read(machine: Pick<Machine, "root">, file: string): string {
  try {
    return readTrusted(machine, file).toString("utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}
