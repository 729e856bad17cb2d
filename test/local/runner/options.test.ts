import { expect, test } from "vitest";
import { parseOptions, UsageError } from "../../../local/runner/options.ts";
import { dryRun } from "../../../local/runner/scenarios/dry-run.ts";
import { usual } from "../../../local/runner/scenarios/usual.ts";

test("without options: five hosts, both sets of packages", () => {
  expect(parseOptions([])).toEqual({
    scenario: usual,
    hosts: 5,
    packages: "both",
    dryRun: false,
    keep: false,
    serve: false,
    json: null,
    html: null,
  });
});

test("every option is read", () => {
  const args = [
    "--hosts",
    "3",
    "--packages=sample",
    "--dry-run",
    "--keep",
    "--serve",
    "--json",
    "o.json",
    "--html=o.html",
  ];
  expect(parseOptions(args)).toEqual({
    scenario: usual,
    hosts: 3,
    packages: "sample",
    dryRun: true,
    keep: true,
    serve: true,
    json: "o.json",
    html: "o.html",
  });
});

test("a scenario brings its own options, and what is typed goes over them", () => {
  expect(parseOptions(["--scenario", "dry-run", "--hosts", "2"])).toMatchObject({
    scenario: dryRun,
    hosts: 2,
    dryRun: true,
  });
});

test("help is not a run", () => {
  expect(parseOptions(["--hosts", "3", "-h"])).toBeNull();
});

test.each([
  [["--host", "3"], "--host: no such option; did you mean --hosts?"],
  [["--frobnicate"], /^--frobnicate: no such option; known: --scenario, --hosts, /],
  [["-x"], /^-x: no such option/],
  [["--hosts", "0"], /^--hosts 0: a whole number from 1 to 20/],
  [["--hosts", "1000"], /^--hosts 1000: a whole number from 1 to 20/],
  [["--hosts", "two"], /^--hosts two: a whole number/],
  [["--hosts=-1"], /^--hosts -1: a whole number/],
  [["--hosts"], /^--hosts: needs a value/],
  [["--json="], /^--json: needs a value/],
  [["--packages", "debain"], "--packages debain: one of debian, sample, both; did you mean debian?"],
  [["--scenario", "dryrun"], /^--scenario dryrun: one of usual, dry-run.*; did you mean dry-run\?/],
  [["--dry-run=yes"], "--dry-run: takes no value, not yes"],
  [["sample"], /^sample: no argument is expected/],
])("%j is refused by name", (args, message) => {
  expect(() => parseOptions(args)).toThrow(UsageError);
  expect(() => parseOptions(args)).toThrow(message);
});
