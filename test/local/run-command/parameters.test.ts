import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneAsHost } from "./agent-host.ts";
import { answers, type Given, runSteps, shell } from "./steps.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});
afterAll(() => host.close());

const run = (given: Given) => runSteps(host, given);

describe("parameters", () => {
  test("values of every type, alone and inside text", async () => {
    const definitions = {
      flag: { type: "Boolean", default: true },
      count: { type: "Integer", default: 12 },
      table: { type: "StringMap", default: { b: "<x>", a: "1" } },
      rows: { type: "MapList", default: [{ k: "v" }] },
      missing: { type: "String" },
      "un-usual": { type: "StringList", default: ["p"] },
    };
    const lines = ["echo '{{flag}} {{ count }} {{ table }} {{ rows }} {{ missing }} {{ un-usual }}'"];
    const inputs = { runCommand: [...lines, "{{ missing }}", "echo '{{ un-usual }}'"], timeoutSeconds: "{{ count }}" };
    const result = await run({ definitions, steps: [{ inputs }] });
    const printed = 'true 12 {"a":"1","b":"\\u003cx\\u003e"} [{"k":"v"}] null ["p"]\n["p"]\n';
    expect(answers(result)).toEqual([["Success", 0, printed, ""]]);
  });

  test("$$ stays when the value stands alone and a value is never substituted again", async () => {
    const definitions = { a: { type: "String", default: "echo '{{ b }}' $$0" }, b: { type: "String", default: "B" } };
    const result = await run({
      definitions,
      steps: [{ inputs: { runCommand: ["echo() { printf '%s' \"$1\"; }", "{{ a }}"] } }],
    });
    expect(answers(result)).toEqual([["Success", 0, "{{ b }}", ""]]);
  });

  test.each([
    [{ type: "String", allowedPattern: "^x$" }, {}, "invalid parameter type String with parameter value <nil>"],
    [
      { type: "StringList", allowedPattern: "^[a-z]+$" },
      { v: ["ok", "N O"] },
      "parameter value /N O/ does not match the allowed pattern /^[a-z]+$/",
    ],
    [
      { type: "String", allowedPattern: "^(?=a)" },
      { v: ["a"] },
      "encountered error while compiling allowed pattern - internal error: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
    ],
    [
      { type: "String", allowedPattern: "^a$" },
      { v: ["a\n"] },
      "parameter value /a\n/ does not match the allowed pattern /^a$/",
    ],
  ])("%j refuses %j", async (definition, parameters: Record<string, string[]>, reason) => {
    const result = await run({ definitions: { v: definition }, parameters, steps: [shell("echo {{ v }}")] });
    expect(result.trace).toBe(
      `all errors during param validation errors: error thrown in 'AllowedRegexParamValidator' while validating parameter /v/: ${reason}`,
    );
    expect(result.steps.map((s) => s.status)).toEqual(["NotReported"]);
  });
});
