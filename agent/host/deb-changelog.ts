import { gunzipSync } from "node:zlib";
import { readOutput } from "./exec.ts";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";
import { type TarMember, TarReader, type TarVisitor } from "./tar.ts";

/** The largest changelogs of Debian are a tenth of this. */
const PACKED_CAP = 4 * 1024 * 1024;
const PLAIN_CAP = 32 * 1024 * 1024;

/**
 * The Debian changelog that a .deb brings, as it stands in its documentation folder: read from the stream of its files, which
 * ends there. A native package's is called `changelog`; so is upstream's in others, and what is in it is for the caller to see.
 * @param deb as the machine names it
 * @returns null when there is none, as when the folder is a link to another package's
 * @throws Failure when the .deb cannot be read, Error when its changelog is too large or not gzip
 */
export async function readDebChangelog(
  machine: Pick<Machine, "root">,
  name: string,
  deb: string,
  deadlineMs: number,
): Promise<string | null> {
  const args = ["--fsys-tarfile", onMachine(machine, deb)];
  return await readOutput("dpkg-deb", args, { deadlineMs }, (stdout) => findChangelog(stdout, name));
}

async function findChangelog(tar: AsyncIterable<Buffer>, name: string): Promise<string | null> {
  const search = new ChangelogSearch(`/usr/share/doc/${name}`);
  const reader = new TarReader(search);
  for await (const chunk of tar) {
    reader.push(chunk);
    if (search.done) break;
  }
  if (!search.done) reader.close();
  return search.found;
}

class ChangelogSearch implements TarVisitor {
  /** Nothing better can come. */
  done = false;
  found: string | null = null;
  readonly #folder: string;
  #inside = false;
  #taken: { readonly packed: boolean; readonly debian: boolean; readonly chunks: Buffer[] } | null = null;

  constructor(folder: string) {
    this.#folder = folder;
  }

  member({ path, type, size }: TarMember): void {
    if (this.done) return;
    if (path.startsWith(`${this.#folder}/`)) {
      this.#inside = true;
      const match = /^\/changelog(\.Debian)?(\.gz)?$/.exec(path.slice(this.#folder.length));
      if (match === null || type !== "file") return;
      if (size > PACKED_CAP) throw new Error(`${path} has ${size} bytes`);
      this.#taken = { debian: match[1] !== undefined, packed: match[2] !== undefined, chunks: [] };
    } else if (path === this.#folder && type === "link") this.done = true;
    // dpkg-deb packs folder by folder.
    else if (this.#inside && this.found !== null) this.done = true;
  }

  bytes(raw: Buffer, part: "head" | "content" | "padding"): void {
    if (part === "content") this.#taken?.chunks.push(raw);
  }

  end(): void {
    const taken = this.#taken;
    if (taken === null) return;
    this.#taken = null;
    const content = Buffer.concat(taken.chunks);
    this.found = (taken.packed ? gunzipSync(content, { maxOutputLength: PLAIN_CAP }) : content).toString("utf8");
    this.done = taken.debian;
  }
}
