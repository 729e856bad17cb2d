import { dirname } from "node:path";
import type { PathStat } from "../host/tree.ts";

/**
 * Where a packaged path really lies: folders that are links are followed, as on a host whose /bin is a link to usr/bin. The
 * last part is kept as it is. Pure: links are looked up in what was scanned.
 */
export function canonical(path: string, paths: ReadonlyMap<string, PathStat>): string {
  let done = "";
  let remaining = path.split("/").filter((part) => part !== "");
  for (let followed = 0; remaining.length > 0; ) {
    const [part, ...rest] = remaining as [string, ...string[]];
    if (part === ".") remaining = rest;
    else if (part === "..") {
      done = done === "" ? "" : dirname(done).replace(/^\/$/, "");
      remaining = rest;
    } else {
      const next = `${done}/${part}`;
      const stat = paths.get(next);
      const target = stat?.type === "link" && rest.length > 0 ? stat.target : null;
      if (target === null || followed > 40) done = next;
      else {
        followed++;
        if (target.startsWith("/")) done = "";
        remaining = [...target.split("/").filter((p) => p !== ""), ...rest];
        continue;
      }
      remaining = rest;
    }
  }
  return done === "" ? "/" : done;
}

/** `canonical` for many paths of one look: a folder's links are followed once. */
export function canonicalIn(paths: ReadonlyMap<string, PathStat>): (path: string) => string {
  const folders = new Map<string, string>();
  return (path) => {
    const cut = path.lastIndexOf("/");
    const [folder, name] = [path.slice(0, cut), path.slice(cut + 1)];
    if (name === "" || name === "." || name === "..") return canonical(path, paths);
    let real = folders.get(folder);
    if (real === undefined) {
      // The last part is kept as it is: with a name behind it the folder itself is followed.
      real = canonical(`${folder}/x`, paths).slice(0, -2);
      folders.set(folder, real);
    }
    return `${real}/${name}`;
  };
}

/** A file that dpkg puts elsewhere because some package diverted it. */
export interface Diversion {
  readonly from: string;
  readonly to: string;
}

/** Pure: /var/lib/dpkg/diversions, three lines each. */
export function parseDiversions(text: string): Diversion[] {
  const lines = text.split("\n");
  const found: Diversion[] = [];
  for (let i = 0; i + 2 < lines.length; i += 3) found.push({ from: lines[i] ?? "", to: lines[i + 1] ?? "" });
  return found;
}

/** Pure: the paths of `dpkg-deb --contents`, absolute. */
export function parseContents(stdout: string): string[] {
  return stdout.split("\n").flatMap((line) => {
    const match = /^(.)\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+\.?(\/.*)$/.exec(line);
    if (match === null) return [];
    const [, type, rest] = match as unknown as [string, string, string];
    const name = type === "l" ? rest.split(" -> ")[0] : type === "h" ? rest.split(" link to ")[0] : rest;
    const path = unescapeTar(name ?? "").replace(/\/+$/, "");
    return path === "" ? [] : [path];
  });
}

/** Pure: absolute paths that a maintainer script names, as far as its text tells. */
export function mentionedPaths(script: string): string[] {
  return [...new Set(script.match(/\/(?:usr|var|opt|boot|bin|sbin|lib\w*)\/[A-Za-z0-9_.+:@/-]+/g) ?? [])];
}

/** tar shows bytes that are not printable ASCII as `\ooo`. */
function unescapeTar(name: string): string {
  if (!name.includes("\\")) return name;
  const bytes: number[] = [];
  for (let i = 0; i < name.length; i++) {
    const octal = /^\\([0-7]{3})/.exec(name.slice(i, i + 4));
    if (octal !== null) {
      bytes.push(Number.parseInt(octal[1] ?? "0", 8));
      i += 3;
    } else if (name[i] === "\\" && name[i + 1] === "\\") {
      bytes.push(0x5c);
      i++;
    } else bytes.push(...Buffer.from(name[i] ?? ""));
  }
  return Buffer.from(bytes).toString("utf8");
}
