import { expect, test } from "vitest";
import { deletedCode, unitOf } from "../../../agent/host/mapped-libraries.ts";

test("deleted libraries and programs are found; data, memory files and what was made at run time are not", () => {
  const maps = [
    "55d0-55d1 r-xp 00000000 fe:01 1311 /usr/sbin/sshd (deleted)",
    "7f00-7f01 r--p 00000000 fe:01 1312 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 (deleted)",
    "7f01-7f02 r-xp 00001000 fe:01 1312 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 (deleted)",
    "7f02-7f03 r-xp 00001000 fe:01 1313 /usr/lib/x86_64-linux-gnu/libc.so.6",
    "7f03-7f04 r--s 00000000 fe:01 1314 /usr/lib/locale/locale-archive (deleted)",
    "7f04-7f05 rwxs 00000000 00:01 1315 /memfd:jit (deleted)",
    "7f05-7f06 rwxs 00000000 00:01 1316 /dev/zero (deleted)",
    "7f06-7f07 rwxp 00000000 fe:01 1317 /tmp/ffiXyz (deleted)",
    "7f07-7f08 rwxs 00000000 00:01 1318 /SYSV00000000 (deleted)",
    "7f08-7f09 r-xp 00000000 00:15 1319 /run/user/1000/app (deleted)",
    "7f09-7f0a r-xp 00000000 fe:01 1320 /opt/my app/lib with blank.so (deleted)",
    "7ffd-7ffe r-xp 00000000 00:00 0 [vdso]",
    "",
  ].join("\n");

  expect(deletedCode(maps)).toEqual([
    "/opt/my app/lib with blank.so",
    "/usr/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/usr/sbin/sshd",
  ]);
});

test.each([
  ["0::/system.slice/ssh.service\n", "ssh.service"],
  ["9:name=systemd:/system.slice/ssh.service\n0::/system.slice/ssh.service\n", "ssh.service"],
  ["12:pids:/system.slice/other.service\n1:name=systemd:/system.slice/cron.service\n0::/\n", "cron.service"],
  ["0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"],
  ["0::/system.slice/app.service/worker\n", "app.service"],
  ["0::/init.scope\n", "init.scope"],
  ["0::/user.slice/user-1000.slice/user@1000.service/app.slice/editor.service\n", null],
  ["0::/user.slice/user-0.slice/session-3.scope\n", null],
  ["0::/system.slice/docker-0123.scope\n", null],
  ["0::/kubepods.slice/kubepods-pod1.slice/cri-0123.scope\n", null],
  ["", null],
])("a control group names its unit: %j", (cgroup, unit) => {
  expect(unitOf(cgroup)).toBe(unit);
});
