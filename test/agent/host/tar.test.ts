import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Archived, HashingReader } from "../../../agent/backup/pack.ts";
import { exec } from "../../../agent/host/exec.ts";

let folder: string;
let archive: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-tar-"));
  archive = join(folder, "a.tar");
  const long = "n".repeat(120);
  mkdirSync(join(folder, "tree", long, long), { recursive: true });
  writeFileSync(join(folder, "tree", long, long, "ü\nline"), "x".repeat(1_000_000));
  writeFileSync(join(folder, "tree/empty"), "");
  writeFileSync(join(folder, "tree/block"), "y".repeat(512));
  symlinkSync("/etc/passwd", join(folder, "tree/link"));
  const made = await exec("tar", ["--create", "--format=posix", `--file=${archive}`, `--directory=${folder}`, "tree"], {
    deadlineMs: 10_000,
  });
  expect(made.exitCode).toBe(0);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Reads the archive in pieces of some size. */
function read(piece = 64 << 10): Map<string, Archived> {
  const found = new Map<string, Archived>();
  const reader = new HashingReader({ end: (archived) => found.set(archived.path, archived) });
  const bytes = readFileSync(archive);
  for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
  reader.close();
  return found;
}

test.each([64 << 10, 512, 7, 1_000_003])(
  "in pieces of %i bytes: every member of GNU tar's archive with its hash, whatever its name and size",
  (piece) => {
    const members = read(piece);
    const long = "n".repeat(120);
    const found = Object.fromEntries(
      [...members].map(([path, { type, size, sha256 }]) => [path, `${type} ${size} ${sha256.slice(0, 8)}`]),
    );
    expect(found).toEqual({
      "/tree": "directory 0 e3b0c442",
      [`/tree/${long}`]: "directory 0 e3b0c442",
      [`/tree/${long}/${long}`]: "directory 0 e3b0c442",
      [`/tree/${long}/${long}/ü\nline`]: "file 1000000 1b977e9f",
      "/tree/empty": "file 0 e3b0c442",
      "/tree/block": expect.stringMatching(/^file 512 /),
      "/tree/link": "link 0 e3b0c442",
    });
  },
);

test.each([100, 512, 5_000, 900_000])("cut at %i bytes it is refused", (bytes) => {
  truncateSync(archive, bytes);
  expect(() => read()).toThrow("the archive is cut short");
});

test("a header with one bit changed is refused", () => {
  const bytes = readFileSync(archive);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(archive, bytes);
  expect(() => read()).toThrow("a header does not match its checksum");
});
