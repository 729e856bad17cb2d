import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { layAgent } from "../../../agent/build/layer.ts";
import { exec } from "../../../agent/host/exec.ts";
import { HOST_PATHS } from "../../../contract/names.ts";

test("cleaning /var/tmp, as Debian 13 does, leaves the agent's folders whole, and takes other programs' files", async () => {
  const root = mkdtempSync(join(tmpdir(), "autopatch-tmpfiles-"));
  try {
    writeFileSync(join(root, "executable"), "");
    layAgent(root, { executable: join(root, "executable") });
    // Of any age, since a file cannot be made to look as old as Debian's thirty days: its change time is the kernel's.
    writeFileSync(join(root, "usr/lib/tmpfiles.d/tmp.conf"), "q /var/tmp 1777 root root 0\n");
    const own = [`${HOST_PATHS.work}/archives/a.deb`, HOST_PATHS.lock, `${HOST_PATHS.backups}/backup_1/manifest.json`];
    for (const path of [...own, "/var/tmp/another/file", `${HOST_PATHS.work}-not-ours`]) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), "");
    }

    const cleaned = await exec("systemd-tmpfiles", [`--root=${root}`, "--clean"], { deadlineMs: 30_000 });

    expect(cleaned.exitCode, cleaned.stderr).toBe(0);
    expect(own.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(existsSync(join(root, "/var/tmp/another"))).toBe(false);
    expect(existsSync(join(root, `${HOST_PATHS.work}-not-ours`))).toBe(false);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
