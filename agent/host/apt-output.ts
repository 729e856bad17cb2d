import type {
  DownloadUri,
  PackagePolicy,
  SimulatedInstall,
  SimulatedRemoval,
  Simulation,
  VersionDetails,
} from "../patch/apt-facts.ts";

/** Readers of what apt prints under LC_ALL=C for programs. Pure; a line of another shape is an error, never skipped. */

/** `Inst`, `Remv` and `Conf` lines of `apt-get -s`. @throws Error naming a line it cannot read */
export function parseSimulation(stdout: string): Simulation {
  const installs: SimulatedInstall[] = [];
  const removals: SimulatedRemoval[] = [];
  for (const line of stdout.split("\n")) {
    if (line.startsWith("Inst ")) installs.push(parseInst(line));
    if (line.startsWith("Remv ") || line.startsWith("Purg ")) removals.push(parseRemv(line));
  }
  return { installs, removals };
}

function parseInst(line: string): SimulatedInstall {
  const match = /^Inst (\S+?)(?::([a-z0-9-]+))?(?: \[([^\]]+)\])? \((\S+)(?: (.*?))? \[([a-z0-9-]+)\]\)/.exec(line);
  if (match === null) throw new Error(`apt-get -s: cannot read ${JSON.stringify(line)}`);
  const [, name = "", , from, version = "", origins = "", architecture = ""] = match;
  return {
    name,
    architecture,
    from: from ?? null,
    version,
    origins: origins.split(", ").filter((origin) => origin !== ""),
  };
}

function parseRemv(line: string): SimulatedRemoval {
  const match = /^(?:Remv|Purg) (\S+?)(?::([a-z0-9-]+))? \[([^\]]+)\]/.exec(line);
  if (match === null) throw new Error(`apt-get -s: cannot read ${JSON.stringify(line)}`);
  const [, name = "", architecture, version = ""] = match;
  return { name, architecture: architecture ?? null, version };
}

/** Lines `'URI' file size hash` of --print-uris. */
export function parseUris(stdout: string): DownloadUri[] {
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("'"))
    .map((line) => {
      const match = /^'([^']+)' (\S+) (\d+) (\S*)$/.exec(line);
      if (match === null) throw new Error(`apt-get --print-uris: cannot read ${JSON.stringify(line)}`);
      const [, uri = "", file = "", size, hash = ""] = match;
      return { uri, file, size: Number(size), sha256: /^SHA256:([0-9a-f]{64})$/.exec(hash)?.[1] ?? null };
    });
}

/** `apt-cache policy NAME…`. */
export function parsePolicies(stdout: string): PackagePolicy[] {
  return stdout
    .split(/^(?=\S)/m)
    .filter((block) => block !== "")
    .map(parsePolicy);
}

function parsePolicy(block: string): PackagePolicy {
  const lines = block.split("\n");
  const head = /^(\S+?)(?::([a-z0-9-]+))?:$/.exec(lines[0] ?? "");
  const field = (name: string) => new RegExp(`^ {2}${name}: (.*)$`, "m").exec(block)?.[1];
  const installed = field("Installed");
  if (head === null || installed === undefined)
    throw new Error(`apt-cache policy: cannot read ${JSON.stringify(block)}`);
  const candidate = field("Candidate");
  const versions: { version: string; priority: number; sources: string[] }[] = [];
  for (const line of lines) {
    const version = /^ (?:\*\*\*| {3}) (\S+) (-?\d+)(?: .*)?$/.exec(line);
    if (version !== null) versions.push({ version: version[1] ?? "", priority: Number(version[2]), sources: [] });
    const source = /^ {8,}-?\d+ (\S+ \S+)/.exec(line);
    if (source !== null && version === null) versions.at(-1)?.sources.push(source[1] ?? "");
  }
  return {
    name: head[1] ?? "",
    architecture: head[2] ?? null,
    installed,
    candidate: candidate === undefined || candidate === "(none)" ? null : candidate,
    versions,
  };
}

/** Stanzas of `apt-cache show`. */
export function parseDetails(stdout: string): VersionDetails[] {
  return parseStanzas(stdout).flatMap((fields) => {
    const name = fields.get("Package");
    const version = fields.get("Version");
    const architecture = fields.get("Architecture");
    if (name === undefined || version === undefined || architecture === undefined) return [];
    const phased = fields.get("Phased-Update-Percentage");
    return [
      {
        name,
        version,
        architecture,
        installedSizeKiB: Number(fields.get("Installed-Size") ?? 0),
        phasedPercent: phased === undefined ? null : Number(phased),
        sha256: fields.get("SHA256")?.toLowerCase() ?? null,
      },
    ];
  });
}

/** RFC 822 stanzas; continuation lines are joined with line breaks. */
export function parseStanzas(text: string): Map<string, string>[] {
  return text
    .split(/\n(?:[ \t]*\n)+/)
    .map((stanza) => {
      const fields = new Map<string, string>();
      let last = "";
      for (const line of stanza.split("\n")) {
        const match = /^([A-Za-z0-9][^:\s]*):\s*(.*)$/.exec(line);
        if (match !== null) {
          last = match[1] ?? "";
          fields.set(last, match[2] ?? "");
        } else if (/^[ \t]/.test(line) && last !== "") fields.set(last, `${fields.get(last)}\n${line.trim()}`);
      }
      return fields;
    })
    .filter((fields) => fields.size > 0);
}
