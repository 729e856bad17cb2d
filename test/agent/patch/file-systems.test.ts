import { afterAll, beforeAll, expect, test } from "vitest";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";
import { notAsBefore } from "../identical.ts";
import { adversary, lockUpgrade, type Pair } from "./adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/**
 * Puts /boot, /boot/efi, /usr and /var on file systems of their own, and empties the folders below them, as on a host that was installed so.
 * They are overlays, since these can be had without devices. /boot/efi is one over another, which like FAT cannot be a layer of a clone.
 */
const DIVIDE = `set -e
mkdir -p /mnt/of /mnt/root && mount -t tmpfs none /mnt/of && mount --bind / /mnt/root
own() { # path, number of overlays
  mkdir -p /mnt/of/$1/lower && cp -a $1/. /mnt/of/$1/lower
  lower=/mnt/of/$1/lower
  for n in $(seq $2); do
    mkdir -p /mnt/of/$1/upper$n /mnt/of/$1/work$n /mnt/of/$1/at$n
    mount -t overlay overlay -o lowerdir=$lower,upperdir=/mnt/of/$1/upper$n,workdir=/mnt/of/$1/work$n /mnt/of/$1/at$n
    lower=/mnt/of/$1/at$n
  done
  mount --bind $lower $1
}
mkdir -p /boot/efi/EFI && echo loader > /boot/efi/EFI/loader.efi && echo kernel > /boot/vmlinuz
own /boot 1; mkdir -p /boot/efi/EFI && echo loader > /boot/efi/EFI/loader.efi && own /boot/efi 2
own /var 1; own /usr 1
for path in /boot /var /usr; do find /mnt/root$path -mindepth 1 -delete; done
umount /mnt/root
stat -c %d / /boot /boot/efi /usr /var
`;

/** Touches each file system, with its lists and behind their back, and moves a file from one to another. */
function spreads(): Pair {
  const { old, next } = adversary({
    postinst: `#!/bin/sh
set -e
boot=/boot
echo new > $boot/initrd-$(echo made); rm $boot/vmlinuz; mkdir $boot/grub; echo menu > $boot/grub/grub.cfg
efi=/boot/efi/EFI
echo newer > $efi/loader.efi; echo shim > $efi/shim.efi; mkdir $efi/BOOT; echo x > $efi/BOOT/x
mv /usr/lib/adversary/program /var/lib/adversary/program
echo format=2 > /var/lib/adversary/state
cache=/var/cache/adversary; mkdir $cache; echo 1 > $cache/index
`,
  });
  const kernel = (version: string) => ({ path: "/boot/adversary-kernel", content: `kernel ${version}\n` });
  return {
    old: { ...old, files: [...old.files, kernel("1")] },
    next: { ...next, files: [...next.files, kernel("2"), { path: "/boot/efi/EFI/adversary.efi", content: "2\n" }] },
  };
}

async function bootOf(host: AgentHost): Promise<string> {
  const listing = "find /boot -printf '%p %y %m %U:%G %T@ %l\\n' | sort; find /boot -type f | sort | xargs sha256sum";
  return (await host.run("sh", "-c", listing)).stdout;
}

test("/boot, /boot/efi, /usr and /var of their own: rehearsed, installed and rolled back, identical on each", {
  timeout: 240_000,
}, async () => {
  const host = await bench.host({ sources: [] });
  await lockUpgrade(host, [spreads()]);
  const divided = await host.run("sh", "-c", DIVIDE);
  expect(divided.exitCode, divided.stderr).toBe(0);
  const [before, boot] = [await takeFingerprint(host.sandbox), await bootOf(host)];

  const rehearsed = await host.step("rehearse");
  expect(rehearsed.result, rehearsed.stderr).toMatchObject({
    outcome: "succeeded",
    data: { possible: true, wayBack: "identical" },
  });
  const untouched = [...notAsBefore(before, await takeFingerprint(host.sandbox)), (await bootOf(host)) === boot];
  const record = JSON.parse(host.read("/var/lib/autopatch/rehearsal.json")) as { paths: string[] };
  const backup = await host.step("backup");
  const installed = await host.step("install");
  const changed = await bootOf(host);
  const { result } = await host.step("rollback");

  expect(new Set(divided.stdout.trim().split("\n")).size).toBe(5);
  expect(untouched).toEqual([true]);
  expect(record.paths.filter((path) => path.startsWith("/boot"))).toEqual([
    "/boot/adversary-kernel",
    "/boot/efi/EFI/BOOT",
    "/boot/efi/EFI/adversary.efi",
    "/boot/efi/EFI/loader.efi",
    "/boot/efi/EFI/shim.efi",
    "/boot/grub",
    "/boot/grub/grub.cfg",
    "/boot/initrd-made",
    "/boot/vmlinuz",
  ]);
  expect(record.paths).toEqual(expect.arrayContaining(["/usr/lib/adversary/program", "/var/lib/adversary/program"]));
  expect([backup.result.outcome, installed.result.outcome], installed.stderr).toEqual(["succeeded", "succeeded"]);
  expect(changed).toContain("/boot/efi/EFI/shim.efi");
  expect(result).toMatchObject({ outcome: "succeeded", data: { identical: true, differences: 0 } });
  expect(await bootOf(host)).toBe(boot);
  expect(notAsBefore(before, await takeFingerprint(host.sandbox))).toEqual([]);
  expect((await host.run("sh", "-c", "ls -A / /boot /usr /var | grep autopatch-restore")).stdout).toBe("");
});
