import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

/** Decisions of the agent that must stay free of the machine: facts in, a value with reasons out. */
const DECISIONS = [
  "agent/patch/apt-facts.ts",
  "agent/patch/clock-check.ts",
  "agent/patch/config-tests.ts",
  "agent/patch/debian-version.ts",
  "agent/patch/disk-needs.ts",
  "agent/patch/first-seen.ts",
  "agent/patch/fleet-plan.ts",
  "agent/patch/plan.ts",
  "agent/patch/restrict.ts",
  "agent/security/fleet-lock-terms.ts",
  "agent/security/release-record.ts",
  "agent/backup/manifest.ts",
];

/** Rooms of the house, the first whose prefix fits; and what each may import. */
const ROOMS: readonly (readonly [room: string, prefixes: readonly string[], may: readonly string[]])[] = [
  ["contract", ["contract/"], ["contract"]],
  ["agent decisions", DECISIONS, ["contract", "agent decisions"]],
  [
    "agent programs",
    ["agent/programs/", "agent/main.ts", "agent/build/"],
    ["contract", "agent decisions", "agent", "agent programs"],
  ],
  ["agent", ["agent/"], ["contract", "agent decisions", "agent"]],
  ["fleet decisions", ["lambdas/fleet/"], ["contract", "fleet decisions"]],
  ["cloud adapters", ["lambdas/aws/"], ["contract", "fleet decisions", "cloud adapters"]],
  ["handlers", ["lambdas/handlers/"], ["contract", "fleet decisions", "cloud adapters", "handlers"]],
  ["infra", ["infra/"], ["contract", "infra"]],
];

const REASONS: Readonly<Record<string, string>> = {
  contract: "the contract is the border: what it imports, both sides would have to ship",
  "agent decisions": "a decision that knows apt, files or processes cannot be tried without them",
  agent: "the agent's parts serve its programs, know none of them, and never the cloud",
  "agent programs": "the agent runs on a host: nothing of the cloud may be in it",
  "fleet decisions": "a decision that calls AWS cannot be tested by table, nor shown in a dry run",
  "cloud adapters": "adapters serve the handlers, and know none of them",
  handlers: "a Lambda ships what it imports: infra or the agent in its bundle would be dead weight in every start",
  infra:
    "infra takes values from the contract and names handlers by path: importing one would run its clients at synthesis",
};

const roomOf = (file: string) => ROOMS.find(([, prefixes]) => prefixes.some((prefix) => file.startsWith(prefix)));

test("imports run one way: contract <- pure <- adapters <- entry points", () => {
  const files = globSync("{contract,agent,lambdas,infra}/**/*.ts", { cwd: root });
  const wrong = files.flatMap((file) => {
    const room = roomOf(file);
    return localImports(file).flatMap((target) => {
      const other = roomOf(target)?.[0] ?? target;
      return room === undefined || room[2].includes(other)
        ? []
        : [`${file} (${room[0]}) imports ${target} (${other}): ${REASONS[room[0]]}`];
    });
  });

  expect(files.length).toBeGreaterThan(100);
  expect(wrong).toEqual([]);
});

test.each([
  [
    "lambdas/aws/",
    /^@aws-sdk\/client-/,
    "only lambdas/aws calls an SDK client, so that calls can be counted, granted and retried in one place",
  ],
  ["infra/", /^aws-cdk-lib/, "aws-cdk-lib takes half a second to load and belongs to synthesis only"],
])("only %s imports its library", (owner, library, reason) => {
  const files = ["lambdas/**/*.ts", "infra/**/*.ts", "contract/**/*.ts"].flatMap((pattern) =>
    globSync(pattern, { cwd: root }),
  );
  const users = files.filter((file) => specifiers(file).some((name) => library.test(name)));
  const strangers = users.filter((file) => !file.startsWith(owner)).map((file) => `${file}: ${reason}`);

  expect(users.length).toBeGreaterThan(0);
  expect(strangers).toEqual([]);
});

test("zod is imported as a namespace", () => {
  const files = globSync("{contract,agent,lambdas,infra}/**/*.ts", { cwd: root });
  const whole = files.filter((file) => /^import \{ z \} from "zod"/m.test(read(file)));

  const reason =
    "bundlers keep all of zod, its fifty languages included, behind a named z: a third of each Lambda and of the agent";
  expect(whole.map((file) => `${file}: ${reason}`)).toEqual([]);
});

test("handlers stay thin: forty lines of their own at most", () => {
  const handlers = globSync("lambdas/handlers/*.ts", { cwd: root }).filter((file) =>
    /export const handler/.test(read(file)),
  );
  const thick = handlers
    .map(
      (file) =>
        [
          file,
          read(file)
            .split("\n")
            .filter((line) => line !== "" && !line.startsWith("import ")).length,
        ] as const,
    )
    .filter(([, lines]) => lines > 40);

  expect(handlers).toHaveLength(13);
  expect(thick).toEqual([]);
});

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

function specifiers(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map(([, name]) => name ?? "");
}

function localImports(file: string): string[] {
  return specifiers(file)
    .filter((name) => name.startsWith("."))
    .map((name) => {
      const target = normalize(join(dirname(file), name));
      if (!existsSync(join(root, target))) throw new Error(`${file} imports ${target}, which is not there`);
      return target;
    });
}
