import { describe, expect, test } from "vitest";
import { PROGRAMS } from "../../../agent/programs/choose.ts";
import { type Call, type Declaration, helpText, usageOf } from "../../../agent/programs/declaration.ts";
import { declarations } from "../../../agent/programs/load.ts";
import { PROGRAM_LINKS } from "../../../contract/names.ts";

const all = await declarations();
const calls = all.flatMap((declaration): [string, Call][] => [
  [declaration.name, declaration],
  ...Object.entries<Call>(declaration.verbs ?? {}).map(([verb, call]): [string, Call] => [
    `${declaration.name} ${verb}`,
    call,
  ]),
]);

test("each program is called by its link, or as autopatch's own", () => {
  const linked = Object.fromEntries(Object.entries(PROGRAM_LINKS).map(([link, program]) => [program, link]));
  expect(all.map(({ name }) => name)).toEqual(PROGRAMS.map((name) => linked[name] ?? `autopatch ${name}`));
});

describe.each(calls)("%s", (_name, call) => {
  test("its usage names every flag, and none that is not there", () => {
    const named = usageOf(call).flatMap((usage) => [...usage.matchAll(/--([a-z-]+)/g)].map(([, flag]) => flag));
    expect([...new Set(named)].sort()).toEqual(Object.keys(call.flags).sort());
  });

  test("a flag that takes a value says which", () => {
    const silent = Object.entries(call.flags).filter(
      ([, flag]) => flag.type === "string" && flag.value === undefined && flag.oneOf === undefined,
    );
    expect(silent).toEqual([]);
  });
});

test.each(all.map((declaration) => [declaration.name, declaration] as const))(
  "%s --help keeps within 80 columns",
  (_name, declaration) => {
    const lines = helpText(declaration).split("\n");
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  },
);

const SAMPLE: Declaration = {
  name: "sample.sh",
  summary: "an example",
  about: "Does one of two things.",
  flags: {},
  verbs: {
    look: {
      about: "Looks.",
      flags: {
        format: { type: "string", oneOf: ["json", "text"], meaning: "how it answers" },
        quiet: { type: "boolean", meaning: "answers nothing at all, which takes so many words to say that they wrap" },
      },
    },
    go: { about: "Goes.", usage: ["WHERE [--fast]"], flags: { fast: { type: "boolean", meaning: "in a hurry" } } },
  },
  exits: ["unhealthy"],
  files: [["/etc/sample", "what it reads"]],
};
const EXITS = `Exit codes:
  0    done
  1    a defect in AutoPatch
  2    arguments that mean nothing
  3    autopatch.conf cannot be used
  4    the machine lacks something
  11   the host is not well
  130  interrupted
`;

test("--help of a program with verbs tells of all, after a verb of that one", () => {
  const look = `  --format=json|text  how it answers
  --quiet             answers nothing at all, which takes so many words to say
                      that they wrap
`;
  expect(helpText(SAMPLE)).toBe(`Usage: sample.sh look [--format=json|text] [--quiet]
       sample.sh go WHERE [--fast]

Does one of two things.

sample.sh look:
  Looks.

${look}
sample.sh go:
  Goes.

  --fast  in a hurry

Files:
  /etc/sample
      what it reads

${EXITS}`);
  expect(helpText(SAMPLE, "look")).toBe(`Usage: sample.sh look [--format=json|text] [--quiet]

Looks.

${look}
Files:
  /etc/sample
      what it reads

${EXITS}`);
});
