import { describe, expect, test } from "vitest";
import { chooseProgram, PROGRAMS } from "../../../agent/programs/choose.ts";
import { describeError, readFlags, Usage } from "../../../agent/programs/program.ts";
import { Failure } from "../../../contract/failures.ts";

describe("which program a call means", () => {
  test.each([
    ["/usr/local/bin/download.sh", ["--dry-run"], { kind: "program", name: "download", args: ["--dry-run"] }],
    ["autopatch-manager.sh", ["show-status"], { kind: "program", name: "manager", args: ["show-status"] }],
    ["/usr/lib/autopatch/autopatch", ["step", "verify"], { kind: "program", name: "step", args: ["verify"] }],
    ["autopatch", ["rollback.sh", "--list-backups"], { kind: "program", name: "rollback", args: ["--list-backups"] }],
    ["autopatch", [], { kind: "help" }],
    ["autopatch", ["--help"], { kind: "help" }],
    ["install.sh", ["--version"], { kind: "version" }],
    ["toString", ["manager"], { kind: "program", name: "manager", args: [] }],
  ])("%s %s", (calledAs, args, choice) => {
    expect(chooseProgram(calledAs, args)).toEqual(choice);
  });

  test.each([
    ["stpe", "autopatch: unknown program stpe. Did you mean step?"],
    ["zzzzzzzzzzzz", `autopatch: unknown program zzzzzzzzzzzz. Known: ${PROGRAMS.join(", ")}`],
    ["constructor", `autopatch: unknown program constructor. Known: ${PROGRAMS.join(", ")}`],
  ])("autopatch %s is refused", (word, message) => {
    expect(() => chooseProgram("autopatch", [word])).toThrow(new Usage(message));
  });
});

const TABLE = { "dry-run": { type: "boolean" }, verbose: { type: "boolean" }, format: { type: "string" } } as const;

test("flags are read with their values, words apart", () => {
  expect(readFlags("x", TABLE, ["--dry-run", "--format=json", "word"], 1)).toEqual({
    flags: { "dry-run": true, format: "json" },
    words: ["word"],
  });
  expect(readFlags("x", TABLE, ["--format", "json"])).toEqual({ flags: { format: "json" }, words: [] });
});

test.each([
  [["--dryrun"], "x: unknown option --dryrun. Did you mean --dry-run?"],
  [["--verbos=1"], "x: unknown option --verbos=1. Did you mean --verbose?"],
  [["-verbose"], "x: unknown option -verbose. Did you mean --verbose?"],
  [["--everything-at-once"], "x: unknown option --everything-at-once. Known: --dry-run, --verbose, --format"],
  [["word"], 'x: "word" is not expected here; see --help'],
  [["--dry-run=yes"], "x: Option '--dry-run' does not take an argument"],
  [["--format"], "x: Option '--format <value>' argument missing"],
])("%s is refused", (args, message) => {
  expect(() => readFlags("x", TABLE, args)).toThrow(new Usage(message));
});

test.each([
  [new Usage("x: no"), { text: "x: no", exit: 2 }],
  [
    new Failure("notRoot", "the agent runs as user 5"),
    {
      text: "autopatch: the agent does not run as root: the agent runs as user 5\n  run it with sudo, or through SSM (notRoot)",
      exit: 4,
    },
  ],
  [
    new TypeError("x is undefined"),
    {
      text: "autopatch: a defect in AutoPatch: TypeError: x is undefined\n  report it with the step's log (internal)",
      exit: 1,
    },
  ],
])("an error as a person sees it: %s", (error, described) => {
  expect(describeError(error)).toEqual(described);
});
