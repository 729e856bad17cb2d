import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readDebChangelog } from "../../../agent/host/deb-changelog.ts";

const DEADLINE_MS = 30_000;
const ENTRY = "one (2-1) stable; urgency=low\n\n  * CVE-2026-9900001\n";
const DOC = "/usr/share/doc/one";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "autopatch-changelog-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Builds a .deb of these files, a link where the content begins with an arrow. */
function deb(name: string, compression: string, files: Readonly<Record<string, string | Buffer>>): string {
  const tree = join(root, name);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    if (typeof content === "string" && content.startsWith("-> ")) symlinkSync(content.slice(3), join(tree, path));
    else writeFileSync(join(tree, path), content);
  }
  mkdirSync(join(tree, "DEBIAN"), { recursive: true });
  const control = `Package: one\nVersion: 2-1\nArchitecture: all\nMaintainer: a <a@autopatch.invalid>\nDescription: x\n`;
  writeFileSync(join(tree, "DEBIAN/control"), control);
  const args = ["--root-owner-group", `-Z${compression}`, "--build", tree, join(root, `${name}.deb`)];
  execFileSync("dpkg-deb", args, { stdio: "ignore" });
  return `/${name}.deb`;
}

const read = (path: string, deadlineMs = DEADLINE_MS) => readDebChangelog({ root }, "one", path, deadlineMs);

test.each(["xz", "gzip", "none", "zstd"])("compressed with %s, as Debian and Ubuntu do", async (compression) => {
  const files = {
    "/usr/bin/one": Buffer.alloc(200_000, "1"),
    [`${DOC}/NEWS`]: "news\n",
    [`${DOC}/changelog.Debian.gz`]: gzipSync(ENTRY),
    [`${DOC}/changelog.gz`]: gzipSync("upstream's\n"),
    "/usr/share/zoneinfo/last": "later\n",
  };
  expect(await read(deb(`by-${compression}`, compression, files))).toBe(ENTRY);
});

test.each([
  ["a native package's", { [`${DOC}/changelog.gz`]: gzipSync(ENTRY), "/usr/share/zz": "later\n" }, ENTRY],
  ["one that is not compressed", { [`${DOC}/changelog.Debian`]: ENTRY }, ENTRY],
  [
    "a rebuild's, which has one of its own for the architecture",
    { [`${DOC}/changelog.Debian.amd64.gz`]: gzipSync("one (2-1+b1)"), [`${DOC}/changelog.Debian.gz`]: gzipSync(ENTRY) },
    ENTRY,
  ],
  ["none, for the folder is a link", { [DOC]: "-> one-common" }, null],
  ["none, for the file is a link", { [`${DOC}/changelog.Debian.gz`]: "-> ../one-common/changelog.Debian.gz" }, null],
  ["none, for it is another package's", { "/usr/share/doc/one-common/changelog.Debian.gz": gzipSync(ENTRY) }, null],
] as [string, Record<string, string | Buffer>, string | null][])("%s", async (name, files, expected) => {
  expect(await read(deb(name.replaceAll(/\W/g, "-"), "xz", files))).toBe(expected);
});

test("too large a one, one that is no gzip, one that grows without end, and no package at all are errors", async () => {
  const one = (name: string, content: Buffer) => deb(name, "none", { [`${DOC}/changelog.Debian.gz`]: content });
  await expect(read(one("large", Buffer.alloc(5 << 20)))).rejects.toThrow(/has 5242880 bytes$/);
  await expect(read(one("plain", Buffer.from(ENTRY)))).rejects.toThrow("incorrect header check");
  await expect(read(one("bomb", gzipSync(Buffer.alloc(40 << 20))))).rejects.toThrow(/larger than/);
  writeFileSync(join(root, "no.deb"), "no package\n");
  await expect(read("/no.deb")).rejects.toThrow("the archive is cut short");
});

test("the deadline ends it", async () => {
  const big = deb("big", "none", { "/usr/bin/one": Buffer.alloc(64 << 20), [`${DOC}/changelog.gz`]: gzipSync(ENTRY) });
  await expect(read(big, 1)).rejects.toThrow("the archive is cut short");
});
