import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { archivedMembers, openTar } from "../../../agent/backup/archive.ts";
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

test("every member of GNU tar's archive with its hash, whatever its name and size", async () => {
  const members = await archivedMembers(openTar(archive));
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
});

test.each([100, 512, 5_000, 900_000])("cut at %i bytes it is refused", async (bytes) => {
  truncateSync(archive, bytes);
  await expect(archivedMembers(openTar(archive))).rejects.toThrow("the archive is cut short");
});

test("a header with one bit changed is refused", async () => {
  const bytes = readFileSync(archive);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(archive, bytes);
  await expect(archivedMembers(openTar(archive))).rejects.toThrow("a header does not match its checksum");
});
