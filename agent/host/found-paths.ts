import type { PathStat, PathType, Scope, Skipped } from "./tree.ts";

/** For find's -printf: the path and, after a NUL, what lstat says and where a link points to. */
export const FIND_FORMAT = "/%p\\0%y %m %U %G %s %T@ %C@ %n %D:%i %l\\0";
const TYPES: Readonly<Record<string, PathType>> = { f: "file", d: "directory", l: "link" };

/** Turns what find prints into a tree as it comes. */
export class FoundPaths {
  readonly #scope: Scope;
  readonly #paths: Map<string, PathStat>;
  readonly #skipped: Skipped[];
  readonly #tops: ReadonlySet<string>;
  readonly #deviceOf = new Map<string, string>();
  #rest: Buffer = Buffer.alloc(0);
  /** The child of a bounded folder whose paths come now. */
  #child: {
    readonly path: string;
    readonly own: Map<string, PathStat>;
    readonly skippedBefore: number;
    count: number;
  } | null = null;

  constructor(scope: Scope, paths: Map<string, PathStat>, skipped: Skipped[]) {
    this.#scope = scope;
    this.#paths = paths;
    this.#skipped = skipped;
    this.#tops = new Set(scope.tops);
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = bytes.lastIndexOf(0) + 1;
    const fields = bytes.toString("utf8", 0, end).split("\0");
    // An odd field is a path whose description has not come yet.
    const whole = fields.length - 1 - ((fields.length - 1) % 2);
    for (let i = 0; i < whole; i += 2) this.#look(fields[i] as string, fields[i + 1] as string);
    const open = whole === fields.length - 1 ? end : bytes.lastIndexOf(0, end - 2) + 1;
    this.#rest = bytes.subarray(open);
  }

  close(): void {
    this.#endChild();
  }

  #look(path: string, described: string): void {
    const folder = path.slice(0, path.lastIndexOf("/")) || "/";
    if (path.includes("\ufffd")) {
      if (!folder.includes("\ufffd")) this.#skipped.push({ path, why: "its name is not UTF-8" });
      return;
    }
    if (this.#child !== null && !path.startsWith(`${this.#child.path}/`)) this.#endChild();
    if (this.#child === null && this.#scope.bounded.parents.includes(folder))
      this.#child = { path, own: new Map(), skippedBefore: this.#skipped.length, count: 0 };
    const { stat, device } = parseDescription(described);
    const why = this.#scope.leftOut[path];
    if (why !== undefined && stat.type !== "directory") return;
    if (stat.type === "directory") this.#noteFolder(path, folder, device, why);
    if (this.#child === null) this.#paths.set(path, stat);
    else if (++this.#child.count <= this.#scope.bounded.limit || path === this.#child.path)
      this.#child.own.set(path, stat);
  }

  #noteFolder(path: string, folder: string, device: string, why: string | undefined): void {
    const above = this.#deviceOf.get(folder);
    if (why !== undefined) this.#skipped.push({ path, why });
    else if (above !== undefined && above !== device && !this.#tops.has(path))
      this.#skipped.push({ path, why: "another file system is mounted there" });
    this.#deviceOf.set(path, device);
  }

  #endChild(): void {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const { limit } = this.#scope.bounded;
    if (child.count <= limit) {
      for (const [path, stat] of child.own) this.#paths.set(path, stat);
      return;
    }
    this.#paths.set(child.path, child.own.get(child.path) as PathStat);
    this.#skipped.splice(child.skippedBefore);
    this.#skipped.push({ path: child.path, why: `it holds ${child.count} paths, more than ${limit}` });
  }
}

/** Pure: a description in the format above. */
function parseDescription(described: string): { stat: PathStat; device: string } {
  const fields = described.split(" ", 9);
  const [letter = "", mode = "", uid, gid, size, mtime = "", ctime = "", names, inode = ""] = fields;
  const type = TYPES[letter] ?? "other";
  const stat = {
    type,
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    size: Number(size),
    mtime: findTime(mtime),
    ctime: findTime(ctime),
    target: type === "link" ? described.slice(fields.join(" ").length + 1) : null,
    shared: type === "file" && Number(names) > 1 ? inode : null,
  };
  return { stat, device: inode.slice(0, inode.indexOf(":")) };
}

/** Pure: nanoseconds of `seconds.fraction`, where the fraction counts forward before 1970 too. */
function findTime(text: string): string {
  const point = text.indexOf(".");
  const [seconds, fraction] = [text.slice(0, point), text.slice(point + 1, point + 10)];
  return /^[1-9]/.test(seconds) ? seconds + fraction : String(BigInt(seconds) * 1_000_000_000n + BigInt(fraction));
}
