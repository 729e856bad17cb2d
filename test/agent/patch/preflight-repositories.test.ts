import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SampleRepository } from "../../../local/hosts/sample/repository.ts";
import { type AgentHost, type Bench, openBench } from "../bench.ts";

let bench: Bench;
let host: AgentHost;
beforeAll(async () => {
  bench = await openBench();
  host = await bench.host();
  // The machine these tests run on may live on a frozen mirror, and its hosts get its apt settings.
  host.write("/etc/apt/apt.conf.d/95dates", 'Acquire::Check-Valid-Until "true";\nAcquire::Check-Date "true";\n');
});
afterAll(() => bench.close());

const SOURCES = "/etc/apt/sources.list.d/autopatch-sample.sources";
const KEYRING = "/etc/apt/keyrings/autopatch-sample.gpg";

function useRepository(
  at: AgentHost,
  repository: Pick<SampleRepository, "url" | "keyring">,
  url = repository.url,
): void {
  at.write(KEYRING, readFileSync(repository.keyring));
  at.write(SOURCES, `Types: deb\nURIs: ${url}\nSuites: stable\nComponents: main\nSigned-By: ${KEYRING}\n`);
}

test("one that does not answer is named with its URL, as transient", async () => {
  useRepository(host, bench.repository, "http://127.0.0.1:9/");
  const { exit, result } = await host.step("preflight");
  useRepository(host, bench.repository);
  expect(result).toMatchObject({ outcome: "failed", code: "repositoryUnreachable", retryable: true });
  expect("message" in result && result.message).toMatch(
    /^Failed to fetch http:\/\/127\.0\.0\.1:9\/dists\/stable\/InRelease .*Connection refused.* \(transient\)$/,
  );
  expect(exit).toBe(6);
});

test("one that has no such suite, as permanent", async () => {
  useRepository(host, bench.repository, `${bench.repository.url}nowhere/`);
  const { result } = await host.step("preflight");
  useRepository(host, bench.repository);
  expect(result).toMatchObject({ outcome: "failed", code: "repositoryUnreachable" });
  expect("message" in result && result.message).toMatch(
    /nowhere stable Release' does not have a Release file\. \(permanent\)$/,
  );
});

test("one whose InRelease has a byte changed is refused and marked", async () => {
  const other = await bench.otherRepository();
  const file = `${other.folder}/dists/stable/InRelease`;
  writeFileSync(file, readFileSync(file, "utf8").replace("Label: AutoPatch", "Label: AutoPatcg"));
  useRepository(host, other);
  const { exit, result } = await host.step("preflight");
  useRepository(host, bench.repository);
  expect(result).toMatchObject({ outcome: "failed", code: "signatureInvalid" });
  expect("message" in result && result.message).toMatch(/127\.0\.0\.1:\d+\/? stable InRelease: .*BADSIG/);
  expect(host.read("/var/log/autopatch/autopatch-manager.log")).toMatch(
    /SÉCURITÉ COMPROMISE: signatureInvalid: .*BADSIG/,
  );
  expect(exit).toBe(8);
});

test("one signed by a key the host does not know", async () => {
  const other = await bench.otherRepository();
  useRepository(host, { url: other.url, keyring: bench.repository.keyring });
  const { result } = await host.step("preflight");
  useRepository(host, bench.repository);
  expect(result).toMatchObject({ outcome: "failed", code: "signatureInvalid" });
  expect("message" in result && result.message).toMatch(/NO_PUBKEY/);
});

test("old metadata with a valid signature is stale, not a wrong clock", async () => {
  useRepository(host, await bench.otherRepository(new Date(Date.now() - 30 * 86_400_000)));
  const { exit, result } = await host.step("preflight");
  useRepository(host, bench.repository);
  expect(result).toMatchObject({ outcome: "failed", code: "metadataStale" });
  expect("message" in result && result.message).toMatch(/InRelease is (not valid anymore|expired)/);
  expect(exit).toBe(8);
});

test("a Release from the future says that the clock is behind", async () => {
  useRepository(host, await bench.otherRepository(new Date(Date.now() + 2 * 86_400_000)));
  const { exit, result } = await host.step("preflight");
  useRepository(host, bench.repository);
  expect(result).toMatchObject({ outcome: "failed", code: "clockWrong" });
  expect("message" in result && result.message).toMatch(
    /^this host's clock is behind, or the mirror's ahead: .*not valid yet/,
  );
  expect(exit).toBe(6);
});

test.each([
  ["ahead", -3],
  ["behind", +3],
])("a server whose time differs says that the clock is %s", async (way, hours) => {
  const mirror = await mirrorAt(bench.repository.url, hours * 3_600_000);
  useRepository(host, bench.repository, mirror.url);
  const { result } = await host.step("preflight");
  useRepository(host, bench.repository);
  await mirror.close();
  expect(result).toMatchObject({ outcome: "failed", code: "clockWrong" });
  expect("message" in result && result.message).toMatch(
    new RegExp(`^the clock is ${way}: it says .*, the repositories' servers say `),
  );
});

/** The repository as seen through a server whose clock is off by so much. */
async function mirrorAt(url: string, offsetMs: number): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const answer = await fetch(new URL((request.url ?? "/").slice(1), url));
    response.sendDate = false;
    response.setHeader("Date", new Date(Date.now() + offsetMs).toUTCString());
    response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
