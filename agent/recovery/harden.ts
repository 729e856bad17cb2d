import { rmSync } from "node:fs";
import { lstatOrNull, onMachine, ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import type { Mode } from "./phases.ts";

interface Setting {
  readonly what: string;
  readonly path: string;
  readonly text: string;
  /** Without this file there is nothing to harden. */
  readonly needs: string;
  /** Refuses a text that the program would not take; the file is removed again then. */
  readonly test: readonly [file: string, ...args: string[]] | null;
  readonly apply: readonly [file: string, ...args: string[]];
}

const NOTE = "# Written by autopatch-manager.sh disaster-recovery after an incident; remove this file to undo it.\n";

const SETTINGS: readonly Setting[] = [
  {
    what: "ssh takes keys only, root by keys only, three tries",
    path: "/etc/ssh/sshd_config.d/50-autopatch-hardening.conf",
    text: `${NOTE}PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitEmptyPasswords no\nPermitRootLogin prohibit-password\nMaxAuthTries 3\nX11Forwarding no\n`,
    needs: "/etc/ssh/sshd_config.d",
    test: ["sshd", "-t"],
    apply: ["systemctl", "try-reload-or-restart", "ssh.service"],
  },
  {
    what: "the kernel hides addresses, follows no foreign links, takes no redirects",
    path: "/etc/sysctl.d/50-autopatch-hardening.conf",
    text: `${NOTE}kernel.kptr_restrict = 2\nkernel.dmesg_restrict = 1\nfs.protected_hardlinks = 1\nfs.protected_symlinks = 1\nfs.protected_regular = 2\nfs.suid_dumpable = 0\nnet.ipv4.conf.all.accept_redirects = 0\nnet.ipv6.conf.all.accept_redirects = 0\nnet.ipv4.conf.all.send_redirects = 0\n`,
    needs: "/etc/sysctl.d",
    test: null,
    apply: ["sysctl", "--quiet", "--load=/etc/sysctl.d/50-autopatch-hardening.conf"],
  },
];

/**
 * After an incident: in mode complete settings are written, each in a file of its own that says how it is undone; in other modes they are
 * advised.
 */
export async function harden(
  machine: Machine,
  mode: Mode,
  dryRun: boolean,
): Promise<{ done: string[]; failed: string[] }> {
  const done: string[] = [];
  const failed: string[] = [];
  for (const setting of SETTINGS) {
    const { what, path, text, needs, test, apply } = setting;
    if (lstatOrNull(onMachine(machine, needs)) === null) continue;
    if (mode !== "complete" || dryRun) {
      done.push(`advised: ${what} (${path})`);
      continue;
    }
    ownFolder(machine, needs);
    if (readOwn(machine, path) === text) continue;
    writeOwn(machine, path, text);
    const refused = test === null ? null : await problemOf(machine, test);
    if (refused !== null) {
      rmSync(onMachine(machine, path));
      failed.push(`${what}: ${refused}`);
      continue;
    }
    const problem = await problemOf(machine, apply);
    done.push(problem === null ? `${what} (${path})` : `${what} (${path}), from the next start on: ${problem}`);
  }
  return { done, failed };
}

async function problemOf(machine: Machine, [file, ...args]: readonly [string, ...string[]]): Promise<string | null> {
  try {
    const result = await machine.exec(file, args, { deadlineMs: 60_000 });
    return result.exitCode === 0 ? null : result.stderr.trim().slice(-300) || `exit ${result.exitCode}`;
  } catch (error) {
    return (error as Error).message;
  }
}
