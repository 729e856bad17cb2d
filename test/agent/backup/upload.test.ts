import { expect, test } from "vitest";
import { BackupListing, partBytesOf, partsOf, summed } from "../../../agent/backup/upload.ts";
import { userIdOf } from "../../../agent/host/backup-fetch.ts";
import { statusAfter } from "../../../agent/patch/way-back-simulation.ts";

const MIB = 1 << 20;
const HASH = "a".repeat(64);

test("parts cover a file to its last byte, and are never more than S3 takes", () => {
  expect(partsOf(40 * MIB, 16 * MIB)).toEqual([
    { number: 1, from: 0, bytes: 16 * MIB },
    { number: 2, from: 16 * MIB, bytes: 16 * MIB },
    { number: 3, from: 32 * MIB, bytes: 8 * MIB },
  ]);
  const size = 1024 ** 4;
  expect(partsOf(size, partBytesOf(size)).length).toBeLessThanOrEqual(10_000);
});

test.each(["../x", "/etc/passwd", "a/../../x", "a//b", ".hidden", ""])("a listing that names %j is refused", (path) => {
  const listing = {
    format: 1,
    id: "backup_20260101T000000Z",
    userId: "A:i",
    files: [{ path, sha256: HASH, size: 1, mode: 0o600 }],
  };
  expect(BackupListing.safeParse(listing).success).toBe(false);
  expect(() => summed(`${HASH}  ${path}\n`)).toThrow(RangeError);
});

test("an instance id means the session of the same role there", () => {
  expect(userIdOf("i-00000000000000001", "AROA:i-00000000000000002")).toBe("AROA:i-00000000000000001");
  expect(userIdOf("AROB:i-00000000000000001", "AROA:i-00000000000000002")).toBe("AROB:i-00000000000000001");
});

test("dpkg's status after a change has the new packages' stanzas, and none of what they replace", () => {
  const status =
    "Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\nPackage: b\nArchitecture: all\nVersion: 1\n\n";
  expect(statusAfter(status, new Set(["a all"]), ["Package: a\nArchitecture: all\nVersion: 2\n"])).toBe(
    "Package: b\nArchitecture: all\nVersion: 1\n\nPackage: a\nStatus: install ok installed\nArchitecture: all\nVersion: 2\n\n",
  );
});
