import { provideForTests } from "../provide.ts";
import { FAULTS, faultFiles, meant } from "./table.ts";
import { runTests } from "./vitest.ts";

/** `npm run faults`: runs the tests of every fault in the table, and prints fault, expected result, tests and how they ended. */
await provideForTests();
const names = FAULTS.flatMap(({ provenBy }) => Object.values(provenBy).flat());
const ended = await runTests(faultFiles(), names);

let survived = 0;
const lines = FAULTS.flatMap(({ number, fault, expected, provenBy }) => {
  const tests = Object.entries(provenBy).flatMap(([file, wanted]) =>
    wanted.map((name) => {
      const all = meant(`${file}: ${name}`, [...ended.keys()]);
      const how = all.length === 0 ? "NOT RUN" : all.every((one) => ended.get(one)) ? "passed" : "FAILED";
      return { how, line: `      ${how.padEnd(7)} ${file}: ${name}${all.length > 1 ? ` (${all.length} tests)` : ""}` };
    }),
  );
  const well = tests.every(({ how }) => how === "passed");
  if (well) survived++;
  const verdict = well ? "survived" : "NOT PROVEN";
  return [`${String(number).padStart(4)}  ${fault} -> ${expected}: ${verdict}`, ...tests.map(({ line }) => line)];
});
console.log(`\n${lines.join("\n")}\n${survived} of ${FAULTS.length} faults survived`);
process.exitCode = survived === FAULTS.length ? 0 : 1;
