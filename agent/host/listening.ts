import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** A socket that waits for others: TCP in state LISTEN, or UDP without a peer. */
export interface Listener {
  readonly protocol: "tcp" | "udp";
  /** `0.0.0.0`, `127.0.0.1`, `::`, … */
  readonly address: string;
  readonly port: number;
  /** Nobody outside this host can reach it. */
  readonly loopback: boolean;
  /** Processes that hold it open; more than one when it was inherited. */
  readonly pids: readonly number[];
  /** Names of those processes, as the kernel has them. */
  readonly programs: readonly string[];
  /** systemd units those processes run in: `nginx.service`; `init.scope` for PID 1, which holds sockets for others. */
  readonly units: readonly string[];
}

/** Every listening socket of this host's network namespace, in order of protocol and port. */
export function listeners(machine: Pick<Machine, "root">): Listener[] {
  const sockets = (["tcp", "tcp6", "udp", "udp6"] as const).flatMap((table) =>
    parseSockets(table, textOf(machine, `/proc/net/${table}`)),
  );
  const holders = socketHolders(machine, new Set(sockets.map(({ inode }) => inode)));
  return sockets
    .map(({ inode, ...socket }) => {
      const pids = holders.get(inode) ?? [];
      const programs = [...new Set(pids.map((pid) => textOf(machine, `/proc/${pid}/comm`).trim()))];
      const units = [...new Set(pids.map((pid) => unitOf(textOf(machine, `/proc/${pid}/cgroup`)) ?? ""))];
      return { ...socket, pids, programs, units: units.filter((name) => name !== "") };
    })
    .sort((a, b) => (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : a.port - b.port));
}

/** The file a process runs, ` (deleted)` behind it when it is no longer on disk; empty when it cannot be told. */
export function executableOf(machine: Pick<Machine, "root">, pid: number): string {
  return linkOf(machine, `/proc/${pid}/exe`);
}

const STATES = { tcp: "0A", udp: "07" } as const;

/** Pure: the listening sockets of a table of /proc/net, each with its inode. */
export function parseSockets(table: "tcp" | "tcp6" | "udp" | "udp6", text: string) {
  const protocol = table.startsWith("tcp") ? ("tcp" as const) : ("udp" as const);
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      const [address = "", port = ""] = (fields[1] ?? "").split(":");
      if (fields[3] !== STATES[protocol] || fields[9] === undefined) return [];
      const readable = table.endsWith("6") ? ipv6(address) : ipv4(address);
      const loopback = readable.startsWith("127.") || readable === "::1" || readable.startsWith("::ffff:127.");
      return [{ protocol, address: readable, port: Number.parseInt(port, 16), loopback, inode: fields[9] }];
    });
}

/** Pure: the service, socket or scope that a process's control groups name, or null. */
export function unitOf(cgroup: string): string | null {
  for (const line of cgroup.split("\n")) {
    const path = /^(?:0:|\d+:name=systemd):(.*)$/.exec(line)?.[1] ?? "";
    const unit = path.split("/").find((part) => /\.(service|scope|socket)$/.test(part) && !/^user@/.test(part));
    if (unit !== undefined) return unescapeUnit(unit);
  }
  return null;
}

/** A unit's control group escapes a leading dot or underscore with `_`. */
function unescapeUnit(name: string): string {
  return name.startsWith("_") ? name.slice(1) : name;
}

/** The kernel prints each word of four bytes in the machine's order, which is little-endian on both architectures. */
function ipv4(hex: string): string {
  return [...Buffer.from(hex, "hex")].reverse().join(".");
}

function ipv6(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  const words: string[] = [];
  for (let at = 0; at < 16; at += 4) {
    const word = Buffer.from(bytes.subarray(at, at + 4)).reverse();
    words.push(word.readUInt16BE(0).toString(16), word.readUInt16BE(2).toString(16));
  }
  if (words.slice(0, 5).every((word) => word === "0") && words[5] === "ffff")
    return `::ffff:${[...Buffer.from(bytes.subarray(12, 16))].reverse().join(".")}`;
  return shortest(words);
}

/** The longest run of zeros as `::`. */
function shortest(words: readonly string[]): string {
  const full = words.join(":");
  const runs = full.match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? [];
  const longest = runs.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? full : full.replace(longest, "::").replace(/:{3,}/, "::");
}

function socketHolders(machine: Pick<Machine, "root">, inodes: ReadonlySet<string>): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const pid of namesIn(machine, "/proc").filter((name) => /^\d+$/.test(name))) {
    for (const fd of namesIn(machine, `/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(machine, `/proc/${pid}/fd/${fd}`))?.[1];
      if (inode === undefined || !inodes.has(inode)) continue;
      const pids = found.get(inode) ?? [];
      if (!pids.includes(Number(pid))) found.set(inode, [...pids, Number(pid)]);
    }
  }
  return found;
}

// Processes come and go while they are looked at: what is gone reads as empty.
function textOf(machine: Pick<Machine, "root">, path: string): string {
  try {
    return readFileSync(onMachine(machine, path), "utf8");
  } catch {
    return "";
  }
}

function namesIn(machine: Pick<Machine, "root">, path: string): string[] {
  try {
    return readdirSync(onMachine(machine, path));
  } catch {
    return [];
  }
}

function linkOf(machine: Pick<Machine, "root">, path: string): string {
  try {
    return readlinkSync(onMachine(machine, path));
  } catch {
    return "";
  }
}
