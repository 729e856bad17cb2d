import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Send, Slack } from "../../lambdas/aws/slack.ts";

const ADDRESS = "https://hooks.slack.test/services/T0AAAAAAA/B0BBBBBBB/hushhushhushhush";
const MESSAGE = { text: "5 of 5 hosts committed." };

interface Heard {
  readonly path: string;
  readonly type: string | undefined;
  readonly body: unknown;
}
/** Stands for Slack on loopback: `answer` decides, and what came in is kept. */
const heard: Heard[] = [];
let answer: (request: IncomingMessage) => { status: number; body?: string; location?: string } | "never";
const server = createServer(async (request, response) => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = JSON.parse(Buffer.concat(parts).toString("utf8")) as unknown;
  heard.push({ path: request.url ?? "", type: request.headers["content-type"], body });
  const said = answer(request);
  if (said === "never") return;
  response.writeHead(said.status, said.location === undefined ? {} : { location: said.location });
  response.end(said.body ?? "ok");
});
let port: number;
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});
beforeEach(() => {
  heard.length = 0;
  reads = 0;
  answer = () => ({ status: 200 });
});

/** Takes the wire's place behind the rule that only https passes: what comes here has been let through. */
const toLoopback: Send = (url, init) => {
  if (url.protocol !== "https:") throw new Error(`${url.protocol} came through`);
  return fetch(`http://127.0.0.1:${port}${url.pathname}`, init);
};
let reads = 0;
const holding = (value: string) => ({
  text: async () => {
    reads += 1;
    return value;
  },
});

test("the message is posted as JSON to the address in the secret", async () => {
  const slack = new Slack(holding(`${ADDRESS}\n`), toLoopback);

  expect(await slack.post("webhook", MESSAGE)).toBe("sent");
  expect(heard).toEqual([{ path: new URL(ADDRESS).pathname, type: "application/json; charset=utf-8", body: MESSAGE }]);
});

test("the secret is asked for once, and again after Slack no longer knows its address", async () => {
  const slack = new Slack(holding(ADDRESS), toLoopback);
  await slack.post("webhook", MESSAGE);
  await slack.post("webhook", MESSAGE);
  expect(reads).toBe(1);

  answer = () => ({ status: 404, body: "no_service" });
  expect(await slack.post("webhook", MESSAGE)).toBe("not sent: hooks.slack.test answered 404 no_service");
  await slack.post("webhook", MESSAGE);
  expect(reads).toBe(2);
});

test.each([
  [{ status: 400, body: "invalid_payload" }, "not sent: hooks.slack.test answered 400 invalid_payload"],
  [{ status: 429, body: "" }, "not sent: hooks.slack.test answered 429"],
  [{ status: 302, body: "", location: "http://127.0.0.1:9/" }, "not sent: hooks.slack.test answered 302"],
  [{ status: 500, body: `no ${new URL(ADDRESS).pathname}` }, "not sent: hooks.slack.test answered 500 no /…/…/…/…"],
])("what Slack answers is judged: %j", async (given, said) => {
  answer = () => given;

  expect(await new Slack(holding(ADDRESS), toLoopback).post("webhook", MESSAGE)).toBe(said);
  expect(heard).toHaveLength(1);
});

test("a Slack that does not answer is given up after five seconds", async () => {
  answer = () => "never";

  expect(await new Slack(holding(ADDRESS), toLoopback).post("webhook", MESSAGE)).toBe(
    "not sent: hooks.slack.test: no answer within 5 s",
  );
}, 15_000);

test("nobody there is said by the network's own word, without the address", async () => {
  const nowhere: Send = (_url, init) => fetch("http://127.0.0.1:9/", init);

  const said = await new Slack(holding(ADDRESS), nowhere).post("webhook", MESSAGE);

  expect(said).toMatch(/^not sent: hooks\.slack\.test: [A-Za-z]+$/);
  expect(said).not.toContain("hush");
});

test.each([
  [`http://127.0.0.1/${"hush".repeat(4)}`, "the secret's address does not begin with https://"],
  ["hush", "the secret holds no address"],
])("no other than an https address is ever asked", async (value, why) => {
  const slack = new Slack(holding(value), toLoopback);

  expect(await slack.post("webhook", MESSAGE)).toBe(`not sent: secret webhook: WebhookAddressError: ${why}`);
  expect(heard).toEqual([]);
});

test("a secret that cannot be read is said by its name", async () => {
  const refused = { text: () => Promise.reject(Object.assign(new Error("not authorized"), { name: "AccessDenied" })) };

  expect(await new Slack(refused, toLoopback).post("webhook", MESSAGE)).toBe(
    "not sent: secret webhook: AccessDenied: not authorized",
  );
});
