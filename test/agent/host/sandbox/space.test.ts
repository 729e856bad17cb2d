import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { SandboxFailure } from "../../../../agent/host/sandbox/failure.ts";
import { chooseSpace, measureSpace } from "../../../../agent/host/sandbox/space.ts";

test("the first candidate with room is taken, with the reason", () => {
  const chosen = chooseSpace(
    [
      { path: "/over", fileSystem: "overlay", availableBytes: 9e9 },
      { path: "/memory", fileSystem: "tmpfs", availableBytes: 1e9 },
      { path: "/disk", fileSystem: "disk", availableBytes: 3e9 },
    ],
    2e9,
  );

  expect(chosen).toEqual({ path: "/disk", reason: "a real file system with 3,000 MB free, 2,000 MB needed" });
});

test("without room anywhere the failure names each folder and what it lacks", () => {
  const choose = () =>
    chooseSpace(
      [
        { path: "/over", fileSystem: "overlay", availableBytes: 9e9 },
        { path: "/memory", fileSystem: "tmpfs", availableBytes: 500e6 },
        { path: "/disk", fileSystem: "disk", availableBytes: 1e9 },
      ],
      2e9,
    );

  expect(choose).toThrow(SandboxFailure);
  expect(choose).toThrow(
    "sandbox: no folder has the 2,000 MB that the upper layers may need:\n" +
      "  /over lies on an overlay, which cannot carry an upper layer\n" +
      "  /memory has 500 MB (at most half of the free memory), 1,500 MB are missing\n" +
      "  /disk has 1,000 MB, 1,000 MB are missing\n" +
      "  Free that much on one of them, or ask for fewer hosts.",
  );
});

test("a folder is made for its owner alone, and told apart by its file system", () => {
  const parent = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const folder = mkdtempSync(join(parent, "space-test-"));

  const measured = measureSpace(join(folder, "new"));
  rmSync(folder, { recursive: true });

  expect(measured).toMatchObject({ path: join(folder, "new"), fileSystem: parent === "/dev/shm" ? "tmpfs" : "disk" });
  expect(measured.availableBytes).toBeGreaterThan(0);
});
