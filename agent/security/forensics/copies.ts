import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";

export interface CopiedFile {
  readonly path: string;
  readonly mode: string;
  readonly owner: string;
  readonly modified: string;
  readonly sha256: string;
  /** Base64; null for a file whose content is a secret or too large: then its hash alone is kept. */
  readonly content: string | null;
}

/** Where somebody who came in leaves a way to come back. */
const KEPT = [
  "/etc/crontab",
  "/etc/cron.d",
  "/etc/cron.hourly",
  "/etc/cron.daily",
  "/etc/cron.weekly",
  "/etc/cron.monthly",
  "/var/spool/cron",
  "/etc/systemd/system",
  "/etc/rc.local",
  "/etc/profile.d",
  "/etc/ld.so.preload",
  "/etc/passwd",
  "/etc/group",
  "/etc/sudoers",
  "/etc/sudoers.d",
  "/etc/ssh/sshd_config",
  "/etc/ssh/sshd_config.d",
  "/etc/pam.d",
  "/etc/hosts",
  "/etc/apt/sources.list",
  "/etc/apt/sources.list.d",
];
/** Passwords' hashes: that they changed is evidence, what they are is nobody's business. */
const HASHED_ONLY = ["/etc/shadow", "/etc/gshadow"];
const MOST_BYTES = 256 << 10;

/** The content of what starts programs and lets people in. */
export function copies(machine: Pick<Machine, "root">): CopiedFile[] {
  const homes = ["/root", ...namesIn(machine, "/home").map((name) => `/home/${name}`)];
  const personal = homes.flatMap((home) => [
    `${home}/.ssh/authorized_keys`,
    `${home}/.bashrc`,
    `${home}/.profile`,
    `${home}/.bash_history`,
  ]);
  return [
    ...[...KEPT, ...personal].flatMap((path) => below(machine, path)).flatMap((path) => copyOf(machine, path, true)),
    ...HASHED_ONLY.flatMap((path) => copyOf(machine, path, false)),
  ];
}

function below(machine: Pick<Machine, "root">, path: string): string[] {
  const stat = lstatSync(onMachine(machine, path), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [path];
  return namesIn(machine, path).flatMap((name) => below(machine, `${path}/${name}`));
}

function copyOf(machine: Pick<Machine, "root">, path: string, withContent: boolean): CopiedFile[] {
  const full = onMachine(machine, path);
  const stat = lstatSync(full, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return [];
  const bytes = readFileSync(full);
  return [
    {
      path,
      mode: (stat.mode & 0o7777).toString(8).padStart(4, "0"),
      owner: `${stat.uid}:${stat.gid}`,
      modified: stat.mtime.toISOString(),
      sha256: createHash("sha256").update(bytes).digest("hex"),
      content: withContent && bytes.length <= MOST_BYTES ? bytes.toString("base64") : null,
    },
  ];
}

function namesIn(machine: Pick<Machine, "root">, path: string): string[] {
  try {
    return readdirSync(onMachine(machine, path)).sort();
  } catch {
    return [];
  }
}
