import { describe, expect, test } from "vitest";
import { parseDpkgQuery, unfinishedPackages } from "../../../agent/host/dpkg.ts";
import { parseOsRelease } from "../../../agent/host/identity.ts";
import { parseKernelLocks } from "../../../agent/host/package-locks.ts";
import { clockProblem } from "../../../agent/patch/clock-check.ts";
import { type DiskSpace, diskProblem } from "../../../agent/patch/disk-needs.ts";

describe("disk", () => {
  const space = (changes: Partial<DiskSpace>): DiskSpace => ({
    device: 1,
    freeBytes: 100,
    usedPercent: 10,
    freeInodes: 100,
    countsInodes: true,
    ...changes,
  });
  const need = (path: string, bytes: number, inodes = 1) => ({ path, what: "files", bytes, inodes });

  test("needs of one file system add up, those of two do not", () => {
    const needs = [need("/a", 60e6), need("/b", 60e6)];
    expect(diskProblem(needs, () => space({ freeBytes: 100e6 }))).toMatchObject({
      code: "diskTooFull",
      message: "120.0 MB are needed (files at /a 60.0 MB, files at /b 60.0 MB), 100.0 MB are free: free 20000000 bytes",
    });
    expect(diskProblem(needs, (path) => space({ device: path === "/a" ? 1 : 2, freeBytes: 100e6 }))).toBeNull();
  });

  test("inodes count where the file system counts them", () => {
    const needs = [need("/a", 1, 101)];
    expect(diskProblem(needs, () => space({}))).toMatchObject({
      code: "inodesTooFew",
      message: "101 inodes are needed for /a, 100 are free",
    });
    expect(diskProblem(needs, () => space({ countsInodes: false, freeInodes: 0 }))).toBeNull();
    expect(diskProblem([need("/a", 100, 100)], () => space({}))).toBeNull();
  });
});

const now = new Date("2026-11-24T12:00:00Z");
const at = (text: string) => new Date(`2026-11-24T${text}Z`);
test.each([
  ["no witness", null, null, null],
  ["a Release of yesterday and a server that agrees", new Date("2026-11-23"), at("12:10:00"), null],
  ["a Release just within tolerance", at("12:15:00"), null, null],
  [
    "a Release from the future",
    at("12:15:01"),
    null,
    /^the clock is behind: it says 2026-11-24T12:00:00.000Z, and a Release file was signed on 2026-11-24T12:15:01.000Z$/,
  ],
  [
    "a server that is later",
    null,
    at("13:00:00"),
    /^the clock is behind: .* the repositories' servers say 2026-11-24T13:00:00.000Z$/,
  ],
  ["a server that is earlier", null, at("11:00:00"), /^the clock is ahead: /],
])("the clock, by %s", (_name, newestRelease, serverTime, why) => {
  const problem = clockProblem(now, { newestRelease, serverTime });
  if (why === null) expect(problem).toBeNull();
  else expect(problem).toMatch(why);
});

test("what dpkg left unfinished is told in words, whole and removed packages are not", () => {
  const lines = [
    "a\tamd64\t1\tii \t10",
    "b\tall\t2\trc \t",
    "c\tall\t3\tiF \t1",
    "d\tall\t4\tiU \t1",
    "e\tall\t5\tiHR\t1",
    "f\tall\t6\tit \t1",
    "g\tall\t7\tiiR\t1",
    "h\tall\t8\thi \t1",
  ];
  const packages = parseDpkgQuery(`${lines.join("\n")}\n`);
  expect(packages[0]).toEqual({ name: "a", architecture: "amd64", version: "1", status: "ii ", installedSizeKiB: 10 });
  expect(unfinishedPackages(packages)).toEqual([
    "c 3 is half-configured",
    "d 4 is unpacked, not configured",
    "e 5 is half-installed",
    "f 6 is with triggers pending",
    "g 7 must be reinstalled",
  ]);
});

test("write locks of the kernel's table are read; read locks and waiting ones are not holders", () => {
  const table = `1: POSIX  ADVISORY  WRITE 812 fd:00:12345 0 EOF
2: FLOCK  ADVISORY  WRITE 77 00:2f:99 0 EOF
2: -> FLOCK  ADVISORY  WRITE 78 00:2f:99 0 EOF
3: POSIX  ADVISORY  READ 5 fd:00:5 0 EOF
4: OFDLCK ADVISORY  WRITE -1 fd:00:7 0 EOF
`;
  expect(parseKernelLocks(table)).toEqual([
    { pid: 812, inode: 12345 },
    { pid: 77, inode: 99 },
    { pid: -1, inode: 7 },
  ]);
});

test("os-release is read with quotes and without", () => {
  const fields = parseOsRelease(
    `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME='bookworm'\n# no\n`,
  );
  expect(Object.fromEntries(fields)).toEqual({
    PRETTY_NAME: "Debian GNU/Linux 12 (bookworm)",
    ID: "debian",
    VERSION_CODENAME: "bookworm",
  });
});
