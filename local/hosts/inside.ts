import { chmodSync, existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Path of a file of a sandbox as the machine sees it. A link on the way would be followed on the machine, not in the
 * sandbox, so there may be none.
 * @throws Error naming the link
 */
export function inside(root: string, path: string): string {
  let here = root;
  for (const part of path.split("/").filter((one) => one !== "" && one !== ".")) {
    here = join(here, part);
    const found = lstatSync(here, { throwIfNoEntry: false });
    if (part === ".." || found?.isSymbolicLink())
      throw new Error(`${path}: ${here} is a link, or leads upwards; name the file itself`);
  }
  return here;
}

/** Writes a file of a sandbox; one that exists keeps its owner and mode. Folders are made as needed. */
export function writeInside(root: string, path: string, content: string | Uint8Array, mode = 0o644): void {
  const file = inside(root, path);
  const exists = existsSync(file);
  mkdirSync(join(file, ".."), { recursive: true, mode: 0o755 });
  writeFileSync(file, content);
  if (!exists) chmodSync(file, mode);
}
