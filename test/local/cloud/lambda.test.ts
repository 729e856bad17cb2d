import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LocalFunction } from "../../../local/cloud/lambda.ts";

let folder: string;
const lines: string[] = [];
const open: LocalFunction[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-lambda-"));
  writeFileSync(
    join(folder, "index.js"),
    `let count = 0;
exports.handler = async (event) => {
  if (event.fail) throw Object.assign(new TypeError("no such " + event.fail));
  if (event.hang) await new Promise((done) => setTimeout(done, 60_000));
  console.log("count " + ++count);
  return { count, region: process.env.AWS_REGION, home: process.env.HOME ?? null, echo: event };
};`,
  );
});
afterAll(async () => {
  await Promise.all(open.map((f) => f.close()));
  rmSync(folder, { recursive: true });
});

function fn(timeoutSeconds = 10): LocalFunction {
  const settings = {
    name: "probe",
    folder,
    handler: "index.handler",
    environment: { AWS_REGION: "eu-west-1" },
    timeoutSeconds,
    memoryMb: 128,
  };
  const made = new LocalFunction(settings, (line) => lines.push(line));
  open.push(made);
  return made;
}

test("a bundle runs with its own environment only, and stays warm between calls", async () => {
  const probe = fn();
  expect(await probe.invoke({ a: 1 })).toEqual({
    payload: { count: 1, region: "eu-west-1", home: null, echo: { a: 1 } },
  });
  expect(await probe.invoke({ a: 2 })).toMatchObject({ payload: { count: 2 } });
  await expect.poll(() => lines).toContain("probe: count 2");
});

test("calls at the same time get execution environments of their own", async () => {
  const probe = fn();
  const answers = await Promise.all([probe.invoke({}), probe.invoke({})]);
  expect(answers).toMatchObject([{ payload: { count: 1 } }, { payload: { count: 1 } }]);
});

test("an error has Lambda's shape", async () => {
  expect(await fn().invoke({ fail: "thing" })).toEqual({
    error: {
      errorType: "TypeError",
      errorMessage: "no such thing",
      trace: expect.arrayContaining(["TypeError: no such thing"]),
    },
  });
});

test("a call that runs out of time is an error, and the next one starts afresh", async () => {
  const probe = fn(2);
  expect(await probe.invoke({ hang: true })).toEqual({
    error: { errorType: "Sandbox.Timedout", errorMessage: "probe-1 Task timed out after 2.00 seconds" },
  });
  expect(await probe.invoke({})).toMatchObject({ payload: { count: 1 } });
});
