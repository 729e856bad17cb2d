import { expect, test } from "vitest";
import { Failure } from "../../contract/failures.ts";
import { REQUEST_PATTERN } from "../../contract/names.ts";
import { DEFAULT_POLICY, decodeRequest, encodeRequest, type HostRequest, stepExpiry } from "../../contract/request.ts";

const request: HostRequest = {
  contractVersion: 1,
  runId: "run-2026-11-24",
  fleet: "web",
  steps: ["install"],
  attempt: 1,
  expiresAt: "2026-11-24T04:00:00.000Z",
  instanceIds: Array.from({ length: 50 }, (_, i) => `i-${String(i).padStart(17, "0")}`),
  dryRun: false,
  policy: DEFAULT_POLICY,
  bucket: "autopatch-data",
};

test("a request for fifty hosts fits the document's parameter and comes back", () => {
  const text = encodeRequest(request);
  expect(text).toMatch(new RegExp(REQUEST_PATTERN));
  expect(decodeRequest(text)).toEqual(request);
});

test("a later step may begin as long after the request expired as those before it may take, a reboot as long as it may be away", () => {
  const steps = { steps: ["backup", "install", "reboot", "validate"] as const, expiresAt: request.expiresAt };
  const minutes = (["backup", "install", "reboot", "validate"] as const).map(
    (step) =>
      (stepExpiry({ ...steps, steps: [...steps.steps] }, step).getTime() - Date.parse(request.expiresAt)) / 60_000,
  );
  expect(minutes).toEqual([0, 30, 110, 110]);
});

const asText = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
test.each([
  ["shell text", "x'; id; '", "the request is not base64url text"],
  ["base64url of something else", "aGVsbG8", "the request is not JSON in base64url"],
  ["another contract version", asText({ ...request, contractVersion: 9 }), /contractVersion/],
  ["an unknown field", asText({ ...request, command: "id" }), /command/],
  ["an unknown step", asText({ ...request, steps: ["format-disk"] }), /step/],
  ["no hosts", asText({ ...request, instanceIds: [] }), /instanceIds/],
])("%s is refused as requestInvalid", (_name, text, message) => {
  const decode = () => decodeRequest(text);
  expect(decode).toThrow(Failure);
  expect(decode).toThrow(message);
  expect(decode).toThrow(expect.objectContaining({ code: "requestInvalid" }));
});
