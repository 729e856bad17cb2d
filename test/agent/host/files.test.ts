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
import { ownFolder, readOwn, readTrusted, requireOwnPath, writeOwn } from "../../../agent/host/files.ts";

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

  test("a folder of the agent's that others may write to, or a link in its place, spoils all that lies in it", () => {
    ownFolder({ root }, "/var/tmp/autopatch/archives");
    writeOwn({ root }, "/var/tmp/autopatch/archives/a", "mine");
    chmodSync(join(root, "var/tmp/autopatch"), 0o777);
    const found = unsafe("/var/tmp/autopatch is writable by others (mode 0777)");
    expect(() => readOwn({ root }, "/var/tmp/autopatch/archives/a")).toThrow(found);
    expect(() => writeOwn({ root }, "/var/tmp/autopatch/archives/a", "mine")).toThrow(found);
    expect(() => ownFolder({ root }, "/var/tmp/autopatch/archives")).toThrow(found);
    mkdirSync(join(root, "var/tmp/elsewhere"), { mode: 0o700 });
    symlinkSync(join(root, "var/tmp/elsewhere"), join(root, "var/tmp/autopatch_backups"));
    const link = unsafe("/var/tmp/autopatch_backups is a link");
    expect(() => ownFolder({ root }, "/var/tmp/autopatch_backups/backup_1")).toThrow(link);
    expect(() => readOwn({ root }, "/var/tmp/autopatch_backups/backup_1/manifest.json")).toThrow(link);
  });

  test("a keyring or a source may be reached by a link and written by root's group, and by nobody else", () => {
    writeFileSync(join(root, "keyring"), "key");
    symlinkSync("keyring", join(root, "link"));
    chmodSync(join(root, "keyring"), 0o644);
    expect(readTrusted({ root }, "/link").toString()).toBe("key");
    chmodSync(join(root, "keyring"), 0o646);
    expect(() => readTrusted({ root }, "/link")).toThrow(unsafe("/link is writable by others (mode 0646)"));
    expect(() => readTrusted({ root }, "/")).toThrow(unsafe("/ is not a file"));
  });

  test("a file in a folder that others may write to could be anybody's; a sticky folder is none of those", () => {
    mkdirSync(join(root, "open/below"), { recursive: true });
    expect(() => requireOwnPath({ root }, "/open/below/key")).not.toThrow();
    chmodSync(join(root, "open"), 0o777);
    expect(() => requireOwnPath({ root }, "/open/below/key")).toThrow(
      unsafe("/open is writable by others (mode 0777)"),
    );
    chmodSync(join(root, "open"), 0o1777);
    expect(() => requireOwnPath({ root }, "/open/below/key")).not.toThrow();
  });

  test("a folder below a link is not made", () => {
    mkdirSync(join(root, "elsewhere"));
    symlinkSync(join(root, "elsewhere"), join(root, "work"));
    expect(() => ownFolder({ root }, "/work")).toThrow(unsafe("/work is a link"));
    expect(existsSync(join(root, "elsewhere/archives"))).toBe(false);
  });
});
