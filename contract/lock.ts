import { createHash } from "node:crypto";
import * as z from "zod";

/** One package that is installed or replaced, down to its bytes. */
export const LockEntry = z.object({
  name: z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/),
  /** Debian's name of the architecture; `all` for packages without one. */
  architecture: z.string().regex(/^[a-z0-9-]+$/),
  version: z.string().regex(/^[A-Za-z0-9.+:~-]+$/),
  /** The version it replaces; null for a package that is new on the host. */
  from: z.string().nullable(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Bytes of the .deb. */
  size: z.int().positive(),
  /** File name under the archives folder. */
  file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._+~%-]*\.deb$/),
});
export type LockEntry = z.infer<typeof LockEntry>;

export const LockRemoval = z.object({
  name: LockEntry.shape.name,
  architecture: LockEntry.shape.architecture,
  version: LockEntry.shape.version,
});
export type LockRemoval = z.infer<typeof LockRemoval>;

/** The exact set of changes: what is not in here is not done. Sorted by name, then architecture. */
export const Lock = z.object({
  release: z.string().regex(/^[a-z0-9.-]+$/),
  architecture: LockEntry.shape.architecture,
  entries: z.array(LockEntry),
  removals: z.array(LockRemoval),
});
export type Lock = z.infer<typeof Lock>;

/**
 * SHA-256 of what the lock changes, the same on every host where the same bytes are to be installed: version replaced and
 * file names do not count.
 */
export function lockDigest(lock: Lock): string {
  const lines = [
    `${lock.release} ${lock.architecture}`,
    ...lock.entries.map((e) => `+ ${e.name} ${e.architecture} ${e.version} ${e.sha256} ${e.size}`).sort(),
    ...lock.removals.map((r) => `- ${r.name} ${r.architecture}`).sort(),
  ];
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

const HEADER = "# AutoPatch lock 1";

/** The text of locked_versions.txt: for people, and for `sha256sum -c` in /var/tmp/autopatch, which skips the `#` lines. */
export function formatLock(lock: Lock): string {
  const lines = [HEADER, `# release ${lock.release} architecture ${lock.architecture}`];
  for (const e of lock.entries) {
    lines.push(`# install ${e.name} ${e.architecture} ${e.version} from ${e.from ?? "-"} size ${e.size}`);
    lines.push(`${e.sha256}  archives/${e.file}`);
  }
  for (const r of lock.removals) lines.push(`# remove ${r.name} ${r.architecture} ${r.version}`);
  lines.push(`# digest ${lockDigest(lock)}`);
  return `${lines.join("\n")}\n`;
}

/** @throws Error naming the line, when the text is not exactly what formatLock writes or its digest does not match. */
export function parseLock(text: string): Lock {
  const lines = text.split("\n");
  const at = (index: number) => lines[index] ?? "";
  const refuse = (index: number, why: string): never => {
    throw new Error(`line ${index + 1}: ${why}: ${JSON.stringify(at(index).slice(0, 120))}`);
  };
  if (at(0) !== HEADER) refuse(0, `not "${HEADER}"`);
  const host = /^# release (\S+) architecture (\S+)$/.exec(at(1)) ?? refuse(1, "not the release line");
  const entries: LockEntry[] = [];
  const removals: LockRemoval[] = [];
  let index = 2;
  for (; ; index++) {
    const install = /^# install (\S+) (\S+) (\S+) from (\S+) size (\d+)$/.exec(at(index));
    if (install === null) break;
    const hash = /^([0-9a-f]{64}) {2}archives\/(\S+)$/.exec(at(++index)) ?? refuse(index, "not a hash line");
    const [, name, architecture, version, from, size] = install;
    const entry = LockEntry.safeParse({
      name,
      architecture,
      version,
      from: from === "-" ? null : from,
      sha256: hash[1],
      size: Number(size),
      file: hash[2],
    });
    if (!entry.success) refuse(index - 1, z.prettifyError(entry.error));
    else entries.push(entry.data);
  }
  for (; ; index++) {
    const remove = /^# remove (\S+) (\S+) (\S+)$/.exec(at(index));
    if (remove === null) break;
    removals.push(LockRemoval.parse({ name: remove[1], architecture: remove[2], version: remove[3] }));
  }
  const digest = /^# digest ([0-9a-f]{64})$/.exec(at(index)) ?? refuse(index, "not the digest line");
  if (lines.slice(index + 1).join("") !== "") refuse(index + 1, "text after the digest line");
  const lock = Lock.parse({ release: host[1], architecture: host[2], entries, removals });
  if (lockDigest(lock) !== digest[1]) refuse(index, `the digest of the lines above is ${lockDigest(lock)}`);
  const seen = new Set<string>();
  for (const { name, architecture } of [...lock.entries, ...lock.removals]) {
    if (seen.has(`${name}:${architecture}`)) throw new Error(`${name}:${architecture} stands in the lock twice`);
    seen.add(`${name}:${architecture}`);
  }
  return lock;
}
