import { connect } from "node:net";
import { CommandNotFound } from "./exec.ts";
import type { Machine } from "./machine.ts";

/** What a look at something from outside came to. */
export interface Probed {
  readonly healthy: boolean;
  readonly evidence: string;
}

/** Asks a URL as `curl -f` does: 200 to 399 is healthy. Redirections are an answer and are not followed. */
export async function probeHttp(url: string, deadlineMs: number): Promise<Probed> {
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(deadlineMs) });
    await response.body?.cancel();
    return { healthy: response.status >= 200 && response.status < 400, evidence: `HTTP ${response.status}` };
  } catch (error) {
    if ((error as Error).name === "TimeoutError")
      return { healthy: false, evidence: `no answer within ${deadlineMs / 1_000} s` };
    const { cause } = error as Error;
    return { healthy: false, evidence: cause instanceof Error ? cause.message || String(cause) : String(error) };
  }
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where sshd listens by its own configuration, as seen from this machine; null where there is no sshd. */
export async function sshAddresses(machine: Machine): Promise<Address[] | null> {
  try {
    const told = await machine.exec("/usr/sbin/sshd", ["-T"], { deadlineMs: 10_000 });
    // A configuration that sshd refuses is for the probe to find: then nothing answers on the usual port either.
    return told.exitCode === 0 ? listenAddresses(told.stdout) : [{ host: "127.0.0.1", port: 22 }];
  } catch (error) {
    if (error instanceof CommandNotFound) return null;
    throw error;
  }
}

/** Pure: `listenaddress` lines of `sshd -T`; what listens everywhere is asked on the loopback interface. */
export function listenAddresses(text: string): Address[] {
  return text.split("\n").flatMap((line) => {
    const [, six, four, port] = /^listenaddress (?:\[([^\]]+)\]|([^\s:[]+)):(\d+)$/.exec(line.trim()) ?? [];
    if (port === undefined) return [];
    const host = six ?? four ?? "";
    const local = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
    return [{ host: local, port: Number(port) }];
  });
}

/** An sshd answers at one of its addresses: it says so itself before anything is asked. */
export async function probeSsh(addresses: readonly Address[], deadlineMs: number): Promise<Probed> {
  const failures: string[] = [];
  for (const { host, port } of addresses) {
    const said = await banner(host, port, deadlineMs);
    if (said.startsWith("SSH-")) return { healthy: true, evidence: `${host}:${port}: ${said}` };
    failures.push(`${host}:${port}: ${said}`);
  }
  return { healthy: false, evidence: failures.join("; ") };
}

/** The first line a server says by itself, or why there is none. */
function banner(host: string, port: number, deadlineMs: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (said: string) => {
      socket.destroy();
      resolve(said);
    };
    socket.setTimeout(deadlineMs, () => end(`no answer within ${deadlineMs / 1_000} s`));
    socket.once("error", (error) => end(error.message || String(error)));
    socket.once("data", (chunk) => end(chunk.toString("latin1").split(/\r?\n/)[0]?.slice(0, 80) ?? ""));
    socket.once("end", () => end("closed without a word"));
  });
}
