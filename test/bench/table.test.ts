import { expect, test } from "vitest";
import { median, type Row } from "../../bench/row.ts";
import { formatTable } from "../../bench/table.ts";

const ROWS: Row[] = [
  {
    what: "check",
    unit: "ms",
    ours: 1_300,
    peer: { name: "apt-get -s", value: 1_000 },
    aim: { of: "ratio", at: "most", value: 1.3 },
  },
  {
    what: "hashing",
    unit: "MB/s",
    ours: 89.5,
    peer: { name: "openssl dgst", value: 100 },
    aim: { of: "ratio", at: "least", value: 0.9 },
  },
  { what: "rollback", unit: "ms", ours: 3_001, peer: null, aim: { of: "ours", at: "most", value: 3_000 } },
  { what: "start", unit: "ms", ours: 88, peer: null, aim: null },
];

test("a table says what is met and what is missed, and who could not be asked", () => {
  expect(formatTable(ROWS, [{ peer: "borg", why: "no such package" }])).toBe(
    `what           ours      peer                ratio  aim
check       1300 ms   1000 ms  apt-get -s     1.30  at most 1.3      met
hashing   89.5 MB/s  100 MB/s  openssl dgst   0.90  at least 0.9     MISSED
rollback    3001 ms                                 at most 3000 ms  MISSED
start       88.0 ms
skipped: borg: no such package
1 of 3 aims met
`,
  );
});

test("the median is the middle, or what lies between the two middles", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([9, 1, 5, 6])).toBe(5.5);
  expect(() => median([])).toThrow(new RangeError("the median of nothing"));
});
