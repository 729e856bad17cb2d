import { readdirSync, rmSync } from "node:fs";
import * as z from "zod";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { requireEnded } from "./ended.ts";
import type { ExecOptions } from "./exec.ts";
import { fileDigest } from "./file-digest.ts";
import { onMachine, ownFolder, readOwn, writeOwn } from "./files.ts";
import type { Machine } from "./machine.ts";
import { TarReader } from "./tar.ts";

/** What the steps want to know of a .deb beside its bytes. */
export const DebFacts = z.strictObject({
  /** The control file, as it stands in the package. */
  control: z.string(),
  /** Lines of `dpkg-deb --contents`. */
  contents: z.string(),
  /** Texts of the maintainer scripts. */
  scripts: z.array(z.string()),
});
export type DebFacts = z.infer<typeof DebFacts>;

/** A .deb by its path, as the machine names it, and by the bytes it must have. */
export interface DebFile {
  readonly path: string;
  readonly sha256: string;
}

const FOLDER = `${HOST_PATHS.state}/debs`;
const SCRIPTS = ["/preinst", "/postinst", "/prerm", "/postrm"];
const DEADLINE_MS = 300_000;
const AT_ONCE = 3;

/**
 * What is in a .deb. Kept by its SHA-256 once it was read: the download looks into every package, so that nothing has to be unpacked
 * for it in the window.
 * @throws Failure `hashMismatch` when the file is not of these bytes or is no Debian package, `programKilled`
 */
export async function debFacts(machine: Machine, deb: DebFile): Promise<DebFacts> {
  const kept = readKept(machine, deb.sha256);
  if (kept !== null) return kept;
  const found = fileDigest(onMachine(machine, deb.path));
  if (found !== deb.sha256)
    throw new Failure("hashMismatch", `${deb.path} has SHA-256 ${found}, the lock says ${deb.sha256}`);
  const facts = await read(machine, deb.path);
  ownFolder(machine, HOST_PATHS.state, 0o700);
  ownFolder(machine, FOLDER, 0o700);
  writeOwn(machine, `${FOLDER}/${deb.sha256}.json`, JSON.stringify(facts), 0o600);
  return facts;
}

/** The facts of several packages, in their order. */
export async function allDebFacts(machine: Machine, debs: readonly DebFile[]): Promise<DebFacts[]> {
  const found: DebFacts[] = [];
  let next = 0;
  const work = async () => {
    for (let i = next++; i < debs.length; i = next++) found[i] = await debFacts(machine, debs[i] as DebFile);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

/** Forgets all packages but these. */
export function forgetOtherDebs(machine: Pick<Machine, "root">, debs: readonly Pick<DebFile, "sha256">[]): void {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const folder = ownFolder(machine, FOLDER, 0o700);
  const wanted = new Set(debs.map(({ sha256 }) => `${sha256}.json`));
  for (const name of readdirSync(folder)) if (!wanted.has(name)) rmSync(`${folder}/${name}`, { force: true });
}

/** One field of a control file; empty when it is not there. Pure. */
export function controlField({ control }: Pick<DebFacts, "control">, name: string): string {
  return new RegExp(`^${name}:[ \\t]*(.*)$`, "mi").exec(control)?.[1]?.trim() ?? "";
}

function readKept(machine: Pick<Machine, "root">, sha256: string): DebFacts | null {
  const text = readOwn(machine, `${FOLDER}/${sha256}.json`);
  if (text === null) return null;
  try {
    return DebFacts.parse(JSON.parse(text));
  } catch {
    // Read anew: another version of the agent wrote it.
    return null;
  }
}

async function read(machine: Machine, path: string): Promise<DebFacts> {
  const files = new Map<string, Buffer[]>();
  let pieces: Buffer[] = [];
  const reader = new TarReader({
    member: ({ path }) => {
      pieces = [];
      files.set(path, pieces);
    },
    bytes: (raw, part) => {
      if (part === "content") pieces.push(raw);
    },
    end: () => {},
  });
  const [listed] = await Promise.all([
    dpkgDeb(machine, "--contents", path),
    dpkgDeb(machine, "--ctrl-tarfile", path, { onBytes: (chunk) => reader.push(chunk) }),
  ]);
  const text = (name: string) => Buffer.concat(files.get(name) ?? []).toString("utf8");
  const scripts = SCRIPTS.map(text).filter((script) => script !== "");
  return { control: text("/control"), contents: listed, scripts };
}

async function dpkgDeb(
  machine: Machine,
  verb: string,
  path: string,
  options: Pick<ExecOptions, "onBytes"> = {},
): Promise<string> {
  const result = await machine.exec("dpkg-deb", [verb, path], { deadlineMs: DEADLINE_MS, ...options });
  if (requireEnded(result).exitCode !== 0)
    throw new Failure("hashMismatch", `${path} is no Debian package: dpkg-deb: ${result.stderr.trim()}`);
  return result.stdout;
}
