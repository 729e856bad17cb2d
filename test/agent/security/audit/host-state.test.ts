import { expect, test } from "vitest";
import { parseConffiles, parsePathRules } from "../../../../agent/host/dpkg-database.ts";
import { judgeAuthorized } from "../../../../agent/security/audit/authorized-keys.ts";
import { judgeBackups } from "../../../../agent/security/audit/backups.ts";
import { judgeCapabilities } from "../../../../agent/security/audit/capabilities.ts";
import { judgeKernel } from "../../../../agent/security/audit/kernel.ts";
import { judgeRecent } from "../../../../agent/security/audit/recent-changes.ts";
import { compareTrees } from "../../../../agent/security/audit/since-install.ts";
import { NOW, told, treeOf } from "./told.ts";

test("backups: none, broken, old", () => {
  const backup = { id: "backup_20261001T000000Z", createdAt: "2026-10-01T00:00:00Z", latest: true, problem: null };
  expect(told(judgeBackups([], 30, NOW))).toEqual([["medium", "noBackup", expect.any(String)]]);
  expect(told(judgeBackups([backup], 30, NOW))).toEqual([
    ["low", "backupsStale", "backup_20261001T000000Z, made 2026-10-01T00:00:00Z"],
  ]);
  expect(told(judgeBackups([backup], 60, NOW))).toEqual([]);
  expect(told(judgeBackups([{ ...backup, createdAt: null, problem: "cut" }], 30, NOW))).toEqual([
    ["high", "backupsInvalid", "backup_20261001T000000Z: cut"],
  ]);
});

test("kernel, capabilities, keys that log in, recent changes", () => {
  expect(
    told(
      judgeKernel(
        new Map([
          ["kernel.kptr_restrict", 0],
          ["fs.suid_dumpable", 2],
        ]),
      ),
    ),
  ).toEqual([
    ["low", "kernelSettingsWeak", "kernel.kptr_restrict = 0, better 1: kernel addresses are shown to everybody"],
  ]);
  const getcap = "/usr/bin/ping cap_net_raw=ep\n/opt/x/tool = cap_sys_admin+ep\n";
  expect(told(judgeCapabilities(getcap, new Set(["/usr/bin/ping"])))).toEqual([
    ["high", "capabilitiesNotPackaged", "/opt/x/tool cap_sys_admin+ep"],
    ["info", "capabilities", "/usr/bin/ping cap_net_raw=ep"],
  ]);
  const keys = { user: "a", uid: 1000, path: "/home/a/.ssh/authorized_keys", keys: 2, owner: 1000, mode: 0o600 };
  expect(told(judgeAuthorized([keys, { ...keys, owner: 1001, keys: 0 }]))).toEqual([
    ["high", "authorizedKeysWritable", "/home/a/.ssh/authorized_keys (user 1001, mode 0600)"],
    ["info", "authorizedKeys", "a: 2 keys in /home/a/.ssh/authorized_keys"],
  ]);
  const at = (days: number) => ({ ctime: String(BigInt(NOW.getTime() - days * 86_400_000) * 1_000_000n) });
  const tree = treeOf({ "/usr/bin/a": at(1), "/etc/b": at(0), "/etc/old": at(8), "/etc/c": at(2) });
  expect(told(judgeRecent(tree, new Set(["/usr/bin/a"]), NOW))).toEqual([
    ["info", "packagedFilesRecent", "2026-11-24T00:00:00.000Z /usr/bin/a"],
    ["info", "otherFilesRecent", "2026-11-25T00:00:00.000Z /etc/b", "2026-11-23T00:00:00.000Z /etc/c"],
  ]);
});

test("since an install: folders, caches, locks and what was not looked at do not count", () => {
  const then = treeOf(
    { "/etc": { type: "directory" }, "/etc/a": {}, "/etc/b": {}, "/etc/gone": {}, "/opt/big/x": {}, "/var/lib/x": {} },
    [{ path: "/opt/big", why: "large" }],
  );
  const now = treeOf({
    "/etc": { type: "directory", mtime: "9" },
    "/etc/a": {},
    "/etc/b": { ctime: "9" },
    "/etc/.pwd.lock": {},
    "/usr/lib/python3/__pycache__/x.pyc": {},
    "/usr/bin/new": {},
    "/opt/big/y": {},
  });
  expect(compareTrees(then, now)).toEqual([
    { path: "/etc/b", what: "changed" },
    { path: "/etc/gone", what: "vanished" },
    { path: "/usr/bin/new", what: "appeared" },
  ]);
});

test("dpkg's records: conffiles of what is installed; path-exclude and what is let in again", () => {
  const status = `Package: a
Status: install ok installed
Conffiles:
 /etc/a 0123456789abcdef0123456789abcdef
 /etc/old 0123456789abcdef0123456789abcdef obsolete
 /etc/new newconffile

Package: b
Status: deinstall ok config-files
Conffiles:
 /etc/b 0123456789abcdef0123456789abcdef
`;
  expect(parseConffiles(status)).toEqual([{ package: "a", path: "/etc/a", md5: "0123456789abcdef0123456789abcdef" }]);
  const rules = parsePathRules("# no docs\npath-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\n");
  const excluded = (path: string) => rules.findLast((rule) => rule.pattern.test(path))?.exclude ?? false;
  expect(["/usr/share/doc/a/b/c", "/usr/share/doc/a/copyright", "/usr/bin/a"].map(excluded)).toEqual([
    true,
    false,
    false,
  ]);
});
