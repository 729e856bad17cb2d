import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { Account } from "./account.ts";

const evaluated = (output: unknown, input: unknown = {}) =>
  new Account().output({ P: { Type: "Pass", Output: output, End: true } }, input);

test.each([
  ["$partition([1,2,3,4,5], 2)", [[1, 2], [3, 4], [5]]],
  ["$partition([0], 3)", [[0]]],
  ["$range(0, 10, 3)", [0, 3, 6, 9]],
  ["$range(1, 9, 2)", [1, 3, 5, 7, 9]],
  ["$range(5, 1, -2)", [5, 3, 1]],
  ["$hash('abc', 'SHA-256')", createHash("sha256").update("abc").digest("hex")],
  ["$hash('abc', 'MD5')", "900150983cd24fb0d6963f7d28e17f72"],
  ["$parse('{\"a\":[1]}')", { a: [1] }],
  ["$uuid()", "uuid-1"],
  ["$random()", 0.5],
  ["$random(7) = $random(7) and $random(7) != $random(8)", true],
  ["$millis()", Date.parse("2026-03-01T02:00:00.000Z")],
  ["$now('[Y0001]-[M01]-[D01]')", "2026-03-01"],
  ["$states.input.hosts[up = true].id", ["a", "c"]],
  ["{ 'k': $states.input.absent, 'l': 1 }", { l: 1 }],
])("%s", async (expression, expected) => {
  const hosts = [
    { id: "a", up: true },
    { id: "b", up: false },
    { id: "c", up: true },
  ];
  expect(await evaluated(`{% ${expression} %}`, { hosts })).toEqual(expected);
});

test("only strings between {% and %} are evaluated, at any depth; all else is literal", async () => {
  const template = { a: ["{% 1 + 1 %}", "$x", null, { b: "{%$states.input%}" }], c: "text {% no", d: 1.5, e: true };
  const literal = { ...template, c: "$states.input" };
  expect(await evaluated(literal, "in")).toEqual({
    a: [2, "$x", null, { b: "in" }],
    c: "$states.input",
    d: 1.5,
    e: true,
  });
});

const prefix = "An error occurred while executing the state 'P' (entered at the event id #2). The JSONata expression";

test.each([
  [
    { result: "{% $doesNotExist %}" },
    "'$doesNotExist' specified for the field 'Output/result' returned nothing (undefined).",
  ],
  [
    "{% function($x){$x} %}",
    "'function($x){$x}' specified for the field 'Output' returned an unsupported result type.",
  ],
  [
    "{% $eval('1') %}",
    "'$eval('1')' specified for the field 'Output' threw an error during evaluation. T1006: Attempted to invoke a non-function",
  ],
  [
    "{% 1 + 'a' %}",
    "'1 + 'a'' specified for the field 'Output' threw an error during evaluation. T2002: The right side of the \"+\" operator must evaluate to a number",
  ],
  [
    "{% $hash('a', 'CRC') %}",
    "'$hash('a', 'CRC')' specified for the field 'Output' threw an error during evaluation. D3137: Argument of function \"hash\" must be a string and one of MD5, SHA-1, SHA-256, SHA-384, SHA-512",
  ],
  ["{% $states.result %}", "'$states.result' specified for the field 'Output' returned nothing (undefined)."],
])("%j is a States.QueryEvaluationError", async (output, cause) => {
  const done = await new Account().run({ P: { Type: "Pass", Output: output, End: true } });
  expect({ status: done.status, error: done.error, cause: done.cause }).toEqual({
    status: "FAILED",
    error: "States.QueryEvaluationError",
    cause: `${prefix} ${cause}`,
  });
});

test("a condition that is no boolean is refused with its type and value", async () => {
  const states = { P: { Type: "Choice", Choices: [{ Condition: "{% 'yes' %}", Next: "Q" }] }, Q: { Type: "Succeed" } };
  const done = await new Account().run(states);
  expect(done.cause).toBe(
    `${prefix} ''yes'' specified for the field 'Choices[0]/Condition' returned an unexpected result type. Expected 'boolean', but was 'string' for value: "yes"`,
  );
});
