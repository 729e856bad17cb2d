import { expect, test } from "vitest";
import { BenchUsage, parseBenchOptions } from "../../bench/options.ts";

const KNOWN = ["check", "backup"] as const;

test.each([
  [[], { names: ["check", "backup"], json: null }],
  [["backup", "check"], { names: ["check", "backup"], json: null }],
  [["--json", "out.json", "backup"], { names: ["backup"], json: "out.json" }],
])("%j", (args, expected) => {
  expect(parseBenchOptions(args, KNOWN)).toEqual(expected);
});

test.each([
  [["bakup"], /^bakup: no such comparison; .*backup/],
  [["--jsn", "x"], /--jsn.*npm run bench -- \[NAME…\] \[--json FILE\]$/s],
  [["--json"], /--json.*npm run bench/s],
])("%j is refused by name", (args, message) => {
  expect(() => parseBenchOptions(args, KNOWN)).toThrow(BenchUsage);
  expect(() => parseBenchOptions(args, KNOWN)).toThrow(message);
});
