import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { listenAddresses, probeHttp, probeSsh } from "../../../agent/host/probes.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<number> {
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test.each([
  [200, true],
  [204, true],
  [302, true],
  [400, false],
  [503, false],
])("HTTP %i is healthy: %s", async (status, healthy) => {
  const port = await listen(createHttp((_, response) => response.writeHead(status, { location: "/elsewhere" }).end()));

  expect(await probeHttp(`http://127.0.0.1:${port}/health-check`, 2_000)).toEqual({
    healthy,
    evidence: `HTTP ${status}`,
  });
});

test("a URL that does not answer, or not in time, is told so", async () => {
  const silent = await listen(createServer(() => {}));

  expect(await probeHttp(`http://127.0.0.1:${silent}/`, 100)).toEqual({
    healthy: false,
    evidence: "no answer within 0.1 s",
  });
  const closed = createServer();
  const port = await listen(closed);
  await new Promise((resolve) => closed.close(resolve));
  expect(await probeHttp(`http://127.0.0.1:${port}/`, 2_000)).toMatchObject({
    healthy: false,
    evidence: expect.stringContaining("ECONNREFUSED"),
  });
});

test("sshd is asked where it listens, and must say that it is one", async () => {
  const ssh = await listen(createServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2p1 Debian\r\n")));
  const other = await listen(createServer((socket) => socket.end("220 mail\r\n")));
  const at = (...ports: number[]) => ports.map((port) => ({ host: "127.0.0.1", port }));

  expect(await probeSsh(at(9, ssh), 2_000)).toEqual({
    healthy: true,
    evidence: `127.0.0.1:${ssh}: SSH-2.0-OpenSSH_9.2p1 Debian`,
  });
  expect(await probeSsh(at(other), 2_000)).toEqual({ healthy: false, evidence: `127.0.0.1:${other}: 220 mail` });
  expect(
    listenAddresses("port 22\nlistenaddress [::]:2222\nlistenaddress 0.0.0.0:22\nlistenaddress 10.0.0.5:22\n"),
  ).toEqual([
    { host: "::1", port: 2222 },
    { host: "127.0.0.1", port: 22 },
    { host: "10.0.0.5", port: 22 },
  ]);
});
