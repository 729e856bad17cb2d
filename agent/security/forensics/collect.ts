import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { HOST_PATHS } from "../../../contract/names.ts";
import { fileTime } from "../../host/clock.ts";
import { onMachine, ownFolder, writeOwn } from "../../host/files.ts";
import { bootId } from "../../host/identity.ts";
import { listeners } from "../../host/listening.ts";
import type { Machine } from "../../host/machine.ts";
import { hasSystemd } from "../../host/services.ts";
import { copies } from "./copies.ts";
import { processes } from "./processes.ts";
import { recentlyChanged } from "./recent.ts";

export const EVIDENCE = `${HOST_PATHS.state}/evidence`;

/** What was found of one kind, and how. */
export interface EvidenceItem {
  readonly file: string;
  readonly what: string;
  readonly at: string;
  /** Null when it was collected; else why not. */
  readonly problem: string | null;
}

export interface Evidence {
  /** Folder of this collection, readable by root alone. */
  readonly folder: string;
  readonly items: readonly EvidenceItem[];
}

type Content = string | Uint8Array;
interface Source {
  readonly file: string;
  readonly what: string;
  collect(machine: Machine): Promise<Content> | Content;
}

const lines = (values: readonly object[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");

/** The most fleeting first. */
const SOURCES: readonly Source[] = [
  {
    file: "processes.jsonl",
    what: "every process with its program's hash",
    collect: (machine) => lines(processes(machine)),
  },
  { file: "sockets.jsonl", what: "what listens, and who holds it", collect: (machine) => lines(listeners(machine)) },
  { file: "connections.txt", what: "the kernel's tables of connections", collect: (machine) => kernelTables(machine) },
  { file: "sessions.txt", what: "who is logged in", collect: (machine) => said(machine, "who", ["--all"]) },
  { file: "logins.txt", what: "logins, and attempts that failed", collect: logins },
  { file: "modules.txt", what: "kernel modules", collect: (machine) => text(machine, "/proc/modules") },
  { file: "mounts.txt", what: "mounts", collect: (machine) => text(machine, "/proc/self/mountinfo") },
  { file: "firewall.txt", what: "nftables' rules", collect: (machine) => said(machine, "nft", ["list", "ruleset"]) },
  { file: "units.txt", what: "units, timers and their files", collect: units },
  {
    file: "changed-files.jsonl",
    what: "files changed in the last seven days",
    collect: (machine) => lines(recentlyChanged(machine)),
  },
  {
    file: "packages.txt",
    what: "packaged files that are not as their package has them",
    collect: (machine) => said(machine, "dpkg", ["--verify"]),
  },
  {
    file: "copies.jsonl",
    what: "cron, accounts, sudo, ssh keys and start-up files, with content",
    collect: (machine) => lines(copies(machine)),
  },
  {
    file: "violations.jsonl",
    what: "what AutoPatch recorded",
    collect: (machine) => text(machine, `${HOST_PATHS.state}/violations.jsonl`),
  },
];

/**
 * Keeps what an investigator asks first, in /var/lib/autopatch/evidence/<UTC time>: each file hashed in SHA256SUMS, when and how in
 * index.json. What cannot be had is said there and does not stop the rest. Changes nothing else.
 */
export async function collectEvidence(machine: Machine): Promise<Evidence> {
  const folder = `${EVIDENCE}/${fileTime(machine.clock.now())}`;
  for (const path of [HOST_PATHS.state, EVIDENCE, folder]) ownFolder(machine, path, 0o700);
  const items: EvidenceItem[] = [];
  const sums: string[] = [];
  const keep = (file: string, content: Content) => {
    writeOwn(machine, `${folder}/${file}`, content, 0o400);
    sums.push(`${createHash("sha256").update(content).digest("hex")}  ${file}\n`);
  };
  for (const { file, what, collect } of SOURCES) {
    const at = machine.clock.now().toISOString();
    try {
      keep(file, await collect(machine));
      items.push({ file, what, at, problem: null });
    } catch (error) {
      items.push({ file, what, at, problem: (error as Error).message });
    }
  }
  const about = {
    format: 1,
    bootId: bootId(machine),
    hostname: text(machine, "/proc/sys/kernel/hostname").trim(),
    items,
  };
  keep("index.json", `${JSON.stringify(about, null, 2)}\n`);
  writeOwn(machine, `${folder}/SHA256SUMS`, sums.join(""), 0o400);
  return { folder, items };
}

function kernelTables(machine: Machine): string {
  return ["tcp", "tcp6", "udp", "udp6", "unix"]
    .map((name) => `# ${name}\n${text(machine, `/proc/net/${name}`)}`)
    .join("");
}

async function logins(machine: Machine): Promise<string> {
  const [good, bad] = [
    await said(machine, "last", ["-F", "-w", "-n", "500"]),
    await said(machine, "lastb", ["-F", "-w", "-n", "500"]),
  ];
  return `# logins\n${good}\n# attempts that failed\n${bad}`;
}

async function units(machine: Machine): Promise<string> {
  if (!hasSystemd(machine)) throw new Error("systemd is not PID 1 here");
  const asked = [["list-units", "--all"], ["list-timers", "--all"], ["list-unit-files"]];
  const answers = [];
  for (const args of asked)
    answers.push(
      `# systemctl ${args.join(" ")}\n${await said(machine, "systemctl", [...args, "--no-pager", "--full", "--plain"])}`,
    );
  return answers.join("\n");
}

/** What a program printed, whatever its exit code: dpkg --verify ends with 1 when it found something. */
async function said(machine: Machine, file: string, args: readonly string[]): Promise<string> {
  const result = await machine.exec(file, args, { deadlineMs: 120_000 });
  return result.stdout === "" ? result.stderr : result.stdout;
}

function text(machine: Pick<Machine, "root">, path: string): string {
  return readFileSync(onMachine(machine, path), "utf8");
}
