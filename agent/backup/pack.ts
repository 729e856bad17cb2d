import { createHash, type Hash } from "node:crypto";
import type { Machine } from "../host/machine.ts";
import { type TarMember, TarReader } from "../host/tar.ts";
import { packTar } from "../host/tar-program.ts";
import type { Pack } from "./manifest.ts";
import { PackWriter } from "./pack-writer.ts";

/** What an archive holds of one path. */
export interface Archived extends TarMember {
  /** Of the content; that of nothing for folders and links. */
  readonly sha256: string;
}

const NOTHING = createHash("sha256").digest("hex");
/** A member up to this size waits in memory until it is known whether it is packed at all. */
const HELD = 32 << 20;

/** Calls back with each member of an archive and its hash. Its bytes go to `bytes`, `begin` comes before and `end` after them. */
export class HashingReader extends TarReader {
  constructor(on: {
    begin?(member: TarMember): void;
    bytes?(raw: Buffer): void;
    end(archived: Archived): void;
  }) {
    let member: TarMember | null = null;
    let hash: Hash | null = null;
    super({
      member: (one) => {
        member = one;
        hash = one.size > 0 ? createHash("sha256") : null;
        on.begin?.(one);
      },
      bytes: (raw, part) => {
        if (part === "content") hash?.update(raw);
        on.bytes?.(raw);
      },
      end: () => {
        if (member !== null) on.end({ ...member, sha256: hash === null ? NOTHING : hash.digest("hex") });
      },
    });
  }
}

export interface PackOrder {
  readonly paths: readonly string[];
  /** The file to be made. */
  readonly full: string;
  /** Paths that are likely in an earlier pack as they are: known only when their content has been read. */
  readonly doubtful: ReadonlySet<string>;
  /** Whether a doubtful path is there already, and need not be packed. */
  isKept(archived: Archived): boolean;
  /** Bytes of a path's content when it was looked at. */
  sizeOf(path: string): number;
}

export interface Packed {
  /** What was read of each path, packed or not. */
  readonly archived: ReadonlyMap<string, Archived>;
  /** Null when nothing had to be packed; then there is no file. */
  readonly pack: Pick<Pack, "bytes" | "sha256" | "plainBytes" | "frames"> | null;
}

/**
 * Packs paths in one pass: what tar writes is hashed and compressed as it comes, each on a core of its own.
 * @throws Failure `backupFailed` in tar's words, also when a file changed while it was read
 */
export async function packPaths(machine: Machine, order: PackOrder): Promise<Packed> {
  const archived = new Map<string, Archived>();
  const kept = await keptLarge(machine, order, archived);
  let writer: PackWriter | null = null;
  let held: { readonly path: string; readonly pieces: Buffer[] } | null = null;
  const write = (path: string, pieces: readonly Buffer[]) => {
    writer ??= new PackWriter(order.full);
    writer.begin(path);
    for (const piece of pieces) writer.write(piece);
  };
  const reader = new HashingReader({
    begin: ({ path, size }) => {
      held = order.doubtful.has(path) && size <= HELD ? { path, pieces: [] } : null;
      if (held === null) write(path, []);
    },
    bytes: (raw) => {
      if (held === null) writer?.write(raw);
      else held.pieces.push(raw);
    },
    end: (one) => {
      archived.set(one.path, one);
      if (held !== null && !order.isKept(one)) write(held.path, held.pieces);
      held = null;
    },
  });
  const open = () => writer as PackWriter | null;
  try {
    const paths = kept.size === 0 ? order.paths : order.paths.filter((path) => !kept.has(path));
    await packTar(machine, paths, (chunk) => {
      reader.push(chunk);
      return open()?.busy();
    });
    reader.close();
  } catch (error) {
    await open()?.abandon();
    throw error;
  }
  return { archived, pack: (await open()?.close()) ?? null };
}

/**
 * Doubtful paths that are too large to wait in memory are read once by themselves: what turns out to be there already would else be stored a
 * second time. @returns those that are there
 */
async function keptLarge(
  machine: Machine,
  order: PackOrder,
  archived: Map<string, Archived>,
): Promise<ReadonlySet<string>> {
  const large = order.paths.filter((path) => order.doubtful.has(path) && order.sizeOf(path) > HELD);
  const kept = new Set<string>();
  if (large.length === 0) return kept;
  const reader = new HashingReader({
    end: (one) => {
      if (!order.isKept(one)) return;
      kept.add(one.path);
      archived.set(one.path, one);
    },
  });
  await packTar(machine, large, (chunk) => reader.push(chunk));
  reader.close();
  return kept;
}
