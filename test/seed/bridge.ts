import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { AnyAgentHost } from "../agent/bench.ts";

/**
 * Lets a server of this machine answer at an address inside a host, whose network is its own: systemd listens there and hands each
 * connection to a socket in the host's /run, which leads here.
 * @param address `127.0.0.1:8000`, of the host
 * @param url of a server on this machine's 127.0.0.1
 */
export async function bridge(host: AnyAgentHost, name: string, address: string, url: string): Promise<Server> {
  const port = Number(new URL(url).port);
  const server = createServer((from) => {
    const to = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const)
      one.pipe(other).on("error", () => one.destroy());
  });
  const socket = `/run/${name}.bridge`;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(join(host.root, socket), resolve);
  });
  const unit = (kind: string) => `/run/systemd/system/bridge-${name}.${kind}`;
  host.write(unit("socket"), `[Socket]\nListenStream=${address}\nFreeBind=yes\n`);
  host.write(unit("service"), `[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd ${socket}\n`);
  await host.run("systemctl", "daemon-reload");
  const started = await host.run("systemctl", "start", `bridge-${name}.socket`);
  if (started.exitCode !== 0) throw new Error(started.stderr);
  return server;
}
