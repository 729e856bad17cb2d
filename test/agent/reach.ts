import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Run in the host's network with the machine's files: `PORT=SOCKET…`; says `ready` when all ports listen. */
const INSIDE = `const net = require("node:net");
Promise.all(process.argv.slice(1).map((pair) => new Promise((listening) => {
  const [port, path] = pair.split("=");
  net.createServer((from) => {
    const to = net.connect(path);
    from.on("error", () => to.destroy()).pipe(to);
    to.on("error", () => from.destroy()).pipe(from);
  }).listen(Number(port), "127.0.0.1", listening);
}))).then(() => console.log("ready"));`;

/**
 * Lets a booted host, whose network is its own, reach servers of this machine's loopback under the same addresses, until it reboots. A
 * socket in a file is what both networks can reach.
 * @param urls `http://127.0.0.1:PORT`
 */
export async function reachFrom(pid: number, urls: readonly string[]): Promise<{ close(): void }> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-reach-"));
  const servers: Server[] = [];
  let child: ChildProcess | undefined;
  const close = () => {
    child?.kill("SIGKILL");
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const pairs: string[] = [];
    for (const port of urls.map((url) => Number(new URL(url).port))) {
      const path = join(folder, String(port));
      const server = createServer((from) => {
        const to = connect(port, "127.0.0.1");
        from.on("error", () => to.destroy()).pipe(to);
        to.on("error", () => from.destroy()).pipe(from);
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
      servers.push(server);
      pairs.push(`${port}=${path}`);
    }
    const enter = ["--pdeathsig", "KILL", "nsenter", `--net=/proc/${pid}/ns/net`, "--", process.execPath, "-e", INSIDE];
    const inside = spawn("setpriv", [...enter, ...pairs], { stdio: ["ignore", "pipe", "inherit"] });
    child = inside;
    await new Promise<void>((resolve, reject) => {
      inside.stdout.once("data", () => resolve());
      inside.once("close", (code) => reject(new Error(`nothing listens in the host's network: exit ${code}`)));
    });
    return { close };
  } catch (error) {
    close();
    throw error;
  }
}
