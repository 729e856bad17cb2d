import { expect, test } from "vitest";
import { OPERATIONS } from "../../../contract/operations.ts";
import { readOrder } from "../../../lambdas/fleet/order.ts";

const ID = "i-0123456789abcdef0";

test("without an operation it is the seed's default, and an id that is named twice counts once", () => {
  expect(readOrder({ instance_ids: [ID, ID] })).toEqual({ order: { instance_ids: [ID], operation: "auto-update" } });
});

test.each(Object.keys(OPERATIONS))("%s may be ordered", (operation) => {
  expect(readOrder({ instance_ids: [ID], operation })).toEqual({ order: { instance_ids: [ID], operation } });
});

test.each([
  [null, "The event is no object: "],
  [[ID], "The event is no object: "],
  [{ instance_ids: [ID], operation: "auto-updat" }, 'Unsupported operation: "auto-updat"; did you mean auto-update?'],
  [{ instance_ids: [ID], operation: "toString" }, 'Unsupported operation: "toString"; known: auto-update, '],
  [{ instance_ids: [ID], operation: ["rollback"] }, 'Unsupported operation: ["rollback"]; known: auto-update, '],
  [{ operation: "rollback" }, "instance_ids is empty: "],
  [{ instance_ids: ID }, `instance_ids is "${ID}": give a list`],
  [{ instance_ids: [ID, "web-01"] }, 'instance_ids holds "web-01", which is no EC2 or managed instance id'],
  [{ instance_ids: [{ a: "x".repeat(500) }] }, /^instance_ids holds .{50,130}…, which is no/],
  [
    { instance_ids: Array.from({ length: 51 }, (_, n) => `i-${String(n).padStart(8, "0")}`) },
    "instance_ids has 51 ids, SSM takes 50 in one command: ask several times, or start PatchFleet",
  ],
])("%j is refused in one sentence", (event, sentence) => {
  expect(readOrder(event)).toEqual({
    wrong: sentence instanceof RegExp ? expect.stringMatching(sentence) : expect.stringContaining(sentence),
  });
});
