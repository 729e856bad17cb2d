import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ownFolder, readOwn, writeOwn } from "../../../agent/host/files.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "autopatch-files-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const unsafe = (message: string) =>
  expect.objectContaining({ code: "pathUnsafe", message: expect.stringContaining(message) });

test("a folder is made with its mode and its parents, and found again", () => {
  ownFolder({ root }, "/var/lib/autopatch", 0o700);
  expect(ownFolder({ root }, "/var/lib/autopatch", 0o700)).toBe(join(root, "var/lib/autopatch"));
  expect(statSync(join(root, "var/lib/autopatch")).mode & 0o7777).toBe(0o700);
  expect(statSync(join(root, "var/lib")).mode & 0o7777).toBe(0o755);
});

test("a file is replaced whole and synced; nothing is left beside it", () => {
  writeOwn({ root }, "/a", "first", 0o600);
  writeOwn({ root }, "/a", "second", 0o600);
  expect(readOwn({ root }, "/a")).toBe("second");
  expect(statSync(join(root, "a")).mode & 0o7777).toBe(0o600);
  expect(readdirSync(root)).toEqual(["a"]);
  expect(readOwn({ root }, "/b")).toBeNull();
});

test("writing replaces a link instead of following it", () => {
  writeFileSync(join(root, "victim"), "untouched");
  symlinkSync(join(root, "victim"), join(root, "a"));
  writeOwn({ root }, "/a", "mine");
  expect(readOwn({ root }, "/victim")).toBe("untouched");
  expect(readOwn({ root }, "/a")).toBe("mine");
});

describe("what somebody else made is refused", () => {
  test("a folder that is a link, a file, or writable by others", () => {
    symlinkSync("/etc", join(root, "link"));
    writeFileSync(join(root, "file"), "");
    mkdirSync(join(root, "open"));
    chmodSync(join(root, "open"), 0o775);
    expect(() => ownFolder({ root }, "/link")).toThrow(unsafe("/link is a link"));
    expect(() => ownFolder({ root }, "/file")).toThrow(unsafe("/file is not a folder"));
    expect(() => ownFolder({ root }, "/open")).toThrow(unsafe("/open is writable by others (mode 0775)"));
  });

  test("a file that is a link, a folder, or writable by others", () => {
    symlinkSync("/etc/passwd", join(root, "link"));
    mkdirSync(join(root, "folder"));
    writeFileSync(join(root, "open"), "x");
    chmodSync(join(root, "open"), 0o646);
    expect(() => readOwn({ root }, "/link")).toThrow(unsafe("/link is a link"));
    expect(() => readOwn({ root }, "/folder")).toThrow(unsafe("/folder is not a file"));
    expect(() => readOwn({ root }, "/open")).toThrow(unsafe("/open is writable by others (mode 0646)"));
  });

  test("a folder below a link is not made", () => {
    mkdirSync(join(root, "elsewhere"));
    symlinkSync(join(root, "elsewhere"), join(root, "work"));
    expect(() => ownFolder({ root }, "/work")).toThrow(unsafe("/work is a link"));
    expect(existsSync(join(root, "elsewhere/archives"))).toBe(false);
  });
});
