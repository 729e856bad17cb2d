import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LEDGER } from "./ledger.ts";
import { SEED, usesIn } from "./text.ts";

const claims = Object.entries(LEDGER).flatMap(([file, tests]) =>
  Object.entries(tests).flatMap(([title, blocks]) =>
    Object.entries(blocks).flatMap(([block, lines]) => lines.map((line) => ({ file, title, block, line }))),
  ),
);
const named = ({ block, line }: { block: string; line: string }) => `${block}: ${line}`;

test("every line of the seed that uses AutoPatch is run by exactly one test, and nothing else is claimed", () => {
  expect(claims.map(named).sort()).toEqual(usesIn(SEED).map(named).sort());
});

test("each test that the ledger names is there", () => {
  const missing = claims.filter(({ file, title }) => {
    const text = readFileSync(join(import.meta.dirname, file), "utf8");
    return !text.includes(`test("${title}",`);
  });
  expect(missing).toEqual([]);
});

test("a line that is new in the text would be found", () => {
  const grown = SEED.replace("# Auto-update conditionnel", "/usr/local/bin/rollback.sh --list-backups");
  expect(usesIn(grown).length).toBe(usesIn(SEED).length + 1);
});
