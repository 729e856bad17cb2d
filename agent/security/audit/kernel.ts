import { readFileSync } from "node:fs";
import { onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { type Checker, count, draft, type Looked, looked, unknown } from "./checker.ts";

/** A setting under /proc/sys, the values that do, and why. */
interface Hardening {
  readonly name: string;
  readonly good: readonly number[];
  readonly why: string;
}

const HARDENING: readonly Hardening[] = [
  { name: "kernel.randomize_va_space", good: [2], why: "addresses of programs can be guessed" },
  { name: "kernel.kptr_restrict", good: [1, 2], why: "kernel addresses are shown to everybody" },
  { name: "kernel.dmesg_restrict", good: [1], why: "the kernel's log is shown to everybody" },
  { name: "kernel.unprivileged_bpf_disabled", good: [1, 2], why: "every user may load BPF programs" },
  { name: "kernel.yama.ptrace_scope", good: [1, 2, 3], why: "a process may read another of the same user" },
  { name: "fs.protected_hardlinks", good: [1], why: "links to other users' files may be planted" },
  { name: "fs.protected_symlinks", good: [1], why: "links in world-writable folders are followed" },
  { name: "fs.protected_fifos", good: [1, 2], why: "fifos in world-writable folders may be planted" },
  { name: "fs.protected_regular", good: [1, 2], why: "files in world-writable folders may be planted" },
  { name: "fs.suid_dumpable", good: [0, 2], why: "set-user-id programs leave core dumps anybody may read" },
  { name: "net.ipv4.tcp_syncookies", good: [1, 2], why: "a flood of SYN packets stops the host" },
  { name: "net.ipv4.conf.all.accept_redirects", good: [0], why: "neighbours may change the routes" },
  { name: "net.ipv4.conf.all.accept_source_route", good: [0], why: "callers may choose their way in" },
  { name: "net.ipv6.conf.all.accept_redirects", good: [0], why: "neighbours may change the routes" },
];

export const kernel: Checker = {
  id: "kernel",
  title: "Kernel settings",
  comprehensive: true,
  run: async ({ machine }) => {
    const settings = new Map(HARDENING.flatMap(({ name }) => read(machine, name)));
    return settings.size === 0 ? unknown("/proc/sys cannot be read") : judgeKernel(settings);
  },
};

/** Pure. What a kernel does not have is passed over. */
export function judgeKernel(settings: ReadonlyMap<string, number>): Looked {
  const weak = HARDENING.flatMap(({ name, good, why }) => {
    const value = settings.get(name);
    return value === undefined || good.includes(value) ? [] : [`${name} = ${value}, better ${good[0]}: ${why}`];
  });
  return looked(
    draft(
      "kernelSettingsWeak",
      "low",
      (n) => `${count(n, "kernel setting")} ${n === 1 ? "is" : "are"} weaker than need be`,
      weak,
      "Write NAME = VALUE into /etc/sysctl.d/60-hardening.conf, then sysctl --system",
    ),
  );
}

function read(machine: Pick<Machine, "root">, name: string): [string, number][] {
  try {
    const text = readFileSync(onMachine(machine, `/proc/sys/${name.replaceAll(".", "/")}`), "utf8").trim();
    return /^-?\d+$/.test(text) ? [[name, Number(text)]] : [];
  } catch {
    return [];
  }
}
