import { expect, test } from "vitest";
import { FAULTS, faultFiles, meant } from "./table.ts";
import { listTests } from "./vitest.ts";

test("every fault of the host has its row, and every test that a row names is there", async () => {
  const tests = await listTests(faultFiles());
  const missing = FAULTS.flatMap(({ number, provenBy }) =>
    Object.entries(provenBy).flatMap(([file, names]) =>
      names
        .filter((name) => meant(name, tests.get(file) ?? []).length === 0)
        .map((name) => `fault ${number}: ${file} has no test "${name}"`),
    ),
  );

  expect(missing).toEqual([]);
  expect(FAULTS.map(({ number }) => number)).toEqual([...Array.from({ length: 20 }, (_, i) => i + 1), 22, 23, 25, 26]);
  expect(FAULTS.filter(({ provenBy }) => Object.values(provenBy).flat().length === 0)).toEqual([]);
});
