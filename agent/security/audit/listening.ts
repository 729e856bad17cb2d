import { executableOf, type Listener, listeners } from "../../host/listening.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

/** What others can talk to. */
export const listening: Checker = {
  id: "listening",
  title: "Listening services",
  run: async ({ machine, facts }) => {
    const seen = listeners(machine).map((one) => ({
      ...one,
      executables: one.pids.map((pid) => executableOf(machine, pid)).filter((path) => path !== ""),
    }));
    return judgeListening(seen, facts.owned());
  },
};

/** A listener and the files its processes run; ` (deleted)` behind one that is no longer on disk. */
export interface ListenerSeen extends Listener {
  readonly executables: readonly string[];
}

/** Protocols that send what they carry in the clear, or trust whoever calls; by port. */
const PLAIN: Readonly<Record<number, string>> = {
  21: "FTP",
  23: "telnet",
  69: "TFTP",
  111: "rpcbind",
  512: "rexec",
  513: "rlogin",
  514: "rsh or syslog",
  873: "rsync",
  2049: "NFS",
  2375: "Docker without TLS",
};
/** Data stores that belong behind the host or a security group. */
const STORES: Readonly<Record<number, string>> = {
  3306: "MySQL",
  5432: "PostgreSQL",
  6379: "Redis",
  9200: "Elasticsearch",
  11211: "memcached",
  27017: "MongoDB",
};

/** Pure. @param owned paths that packages brought */
export function judgeListening(all: readonly ListenerSeen[], owned: ReadonlySet<string>): Looked {
  const open = all.filter((one) => !one.loopback);
  return looked(
    draft(
      "plainServices",
      "high",
      (n) =>
        `${count(n, "service")} without encryption or authentication ${n === 1 ? "is" : "are"} open to the network`,
      open.filter((one) => one.port in PLAIN).map((one) => `${line(one)}: ${PLAIN[one.port]}`),
      "systemctl disable --now UNIT, or bind it to 127.0.0.1",
    ),
    draft(
      "openDataStores",
      "medium",
      (n) => `${count(n, "data store")} ${n === 1 ? "listens" : "listen"} to the network`,
      open.filter((one) => one.port in STORES).map((one) => `${line(one)}: ${STORES[one.port]}`),
      "Bind it to 127.0.0.1, or let a security group keep strangers out",
    ),
    draft(
      "listenersNotPackaged",
      "low",
      (n) => `${count(n, "listening program")} came from no package`,
      open.filter((one) => one.executables.some((path) => !owned.has(bare(path)))).map(line),
      "Find out what it is; what no package brought, nobody updates",
    ),
    draft(
      "listenersOutdated",
      "medium",
      (n) => `${count(n, "listening program")} ${n === 1 ? "runs" : "run"} a file that is no longer on disk`,
      open.filter((one) => one.executables.some((path) => path !== bare(path))).map(line),
      "systemctl restart UNIT runs the new one",
    ),
    draft(
      "listeningServices",
      "info",
      (n) => `${count(n, "socket")} ${n === 1 ? "is" : "are"} open to the network`,
      open.map(line),
      "systemctl disable --now UNIT for what is not needed",
    ),
  );
}

function bare(executable: string): string {
  return executable.replace(/ \(deleted\)$/, "");
}

function line({ protocol, address, port, programs, pids, units }: Listener): string {
  const at = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const by = pids.length === 0 ? "the kernel or another namespace" : `${programs.join(", ")} (pid ${pids.join(", ")})`;
  return `${protocol} ${at} ${[by, ...units].join(", ")}`;
}
