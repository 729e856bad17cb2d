import { expect, test } from "vitest";
import { serverTime, updateProblem } from "../../../agent/host/apt-update.ts";

const ended = (stderr: string, exitCode = 100) => ({ exitCode, timedOut: false, stderr });

test.each([
  [
    "E: Failed to fetch http://m/dists/s/InRelease  Temporary failure resolving 'm'",
    "repositoryUnreachable",
    "Failed to fetch http://m/dists/s/InRelease  Temporary failure resolving 'm' (transient)",
  ],
  [
    "E: Failed to fetch https://m/dists/s/InRelease  Certificate verification failed: The certificate is NOT trusted.",
    "repositoryUnreachable",
    "Failed to fetch https://m/dists/s/InRelease  Certificate verification failed: The certificate is NOT trusted. (permanent)",
  ],
  [
    "W: Failed to fetch http://m/dists/s/InRelease  403  Forbidden [IP: 10.0.0.1 80]\nW: Some index files failed to download. They have been ignored, or old ones used instead.",
    "repositoryUnreachable",
    "Failed to fetch http://m/dists/s/InRelease  403  Forbidden [IP: 10.0.0.1 80] (permanent)",
  ],
  [
    "E: Release file for http://m/dists/s/InRelease is expired (invalid since 22d 0h 1min 2s). Updates for this repository will not be applied.",
    "metadataStale",
    "Release file for http://m/dists/s/InRelease is expired (invalid since 22d 0h 1min 2s). Updates for this repository will not be applied.",
  ],
  [
    "E: The repository 'http://m s InRelease' is not signed.",
    "signatureInvalid",
    "The repository 'http://m s InRelease' is not signed.",
  ],
  [
    "E: Failed to fetch http://m/Packages.gz  File has unexpected size (3 != 2). Mirror sync in progress? [IP: 10.0.0.1 80]",
    "hashMismatch",
    "Failed to fetch http://m/Packages.gz  File has unexpected size (3 != 2). Mirror sync in progress? [IP: 10.0.0.1 80]",
  ],
  [
    "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 12 (apt-get)",
    "packageLockHeld",
    "Could not get lock /var/lib/apt/lists/lock. It is held by process 12 (apt-get)",
  ],
  ["E: Something new", "repositoryUnreachable", "apt-get update: exit 100: E: Something new"],
])("%s", (stderr, code, message) => {
  expect(updateProblem(ended(stderr))).toEqual({ code, message });
});

test("old indexes used instead are a failure though apt says it succeeded; a remark is none", () => {
  const ignored = "W: Some index files failed to download. They have been ignored, or old ones used instead.";
  expect(updateProblem(ended(ignored, 0))?.code).toBe("repositoryUnreachable");
  expect(updateProblem(ended("W: Target Packages is configured multiple times", 0))).toBeNull();
  expect(updateProblem({ exitCode: null, timedOut: true, stderr: "" })).toEqual({
    code: "repositoryUnreachable",
    message: "apt-get update did not end within 300 s (transient)",
  });
});

test("the servers' time is the latest Date, a cache's Age counted in; a Date outside of an answer's head is none", () => {
  const answer = (head: string) =>
    `GET /x HTTP/1.1\n\n\nAnswer for: http://m/x\nHTTP/1.1 200 OK\n${head}\n\nGet:1 http://m s\n`;
  const text = `${answer("date: Tue, 24 Nov 2026 03:00:00 GMT")}${answer("Date: Tue, 24 Nov 2026 02:00:00 GMT\nAge: 7200")}Date: Tue, 24 Nov 2037 03:00:00 GMT\n`;
  expect(serverTime(text)).toEqual(new Date("2026-11-24T04:00:00Z"));
  expect(serverTime("Hit:1 file:/srv stable InRelease\n")).toBeNull();
});
