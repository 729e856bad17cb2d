import { expect, test } from "vitest";
import { Failure } from "../../contract/failures.ts";
import { REQUEST_PATTERN } from "../../contract/names.ts";
import { DEFAULT_POLICY, decodeRequest, encodeRequest, type StepRequest } from "../../contract/request.ts";

const request: StepRequest = {
  contractVersion: 1,
  runId: "run-2026-11-24",
  fleet: "web",
  step: "install",
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

const asText = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
test.each([
  ["shell text", "x'; id; '", "the request is not base64url text"],
  ["base64url of something else", "aGVsbG8", "the request is not JSON in base64url"],
  ["another contract version", asText({ ...request, contractVersion: 9 }), /contractVersion/],
  ["an unknown field", asText({ ...request, command: "id" }), /command/],
  ["an unknown step", asText({ ...request, step: "format-disk" }), /step/],
  ["no hosts", asText({ ...request, instanceIds: [] }), /instanceIds/],
])("%s is refused as requestInvalid", (_name, text, message) => {
  const decode = () => decodeRequest(text);
  expect(decode).toThrow(Failure);
  expect(decode).toThrow(message);
  expect(decode).toThrow(expect.objectContaining({ code: "requestInvalid" }));
});
