import { describe, expect, test } from "vitest";
import { allowedErrorsOf, concurrencyOf } from "../../../local/run-command/service/rates.ts";
import { commandDetail, type InvocationDetail, statusOf } from "../../../local/run-command/service/statuses.ts";

describe("the status of a command", () => {
  test.each<[InvocationDetail[], number, string, string]>([
    [["Success", "Success"], 0, "Success", "Success"],
    [["Success", "Failed"], 0, "Failed", "Failed"],
    [["Success", "Failed"], 1, "Incomplete", "Failed"],
    [["Success", "ExecutionTimedOut"], 0, "Failed", "Failed"],
    [["Success", "ExecutionTimedOut"], 1, "Incomplete", "Failed"],
    [["Undeliverable", "Undeliverable", "Undeliverable", "Undeliverable", "Success"], 0, "Success", "Success"],
    [["Undeliverable", "Undeliverable"], 5, "Failed", "Failed"],
    [["Success", "DeliveryTimedOut"], 0, "DeliveryTimedOut", "TimedOut"],
    [["Success", "DeliveryTimedOut"], 1, "Incomplete", "Failed"],
    [["Failed", "DeliveryTimedOut"], 0, "Failed", "Failed"],
    [["Failed", "Failed", "Terminated"], 1, "Failed", "Failed"],
    [["Success", "Cancelled"], 0, "Cancelled", "Cancelled"],
    [[], 0, "NoInstancesInTag", "Success"],
  ])("%j with %i allowed is %s", (invocations, allowed, detail, status) => {
    const found = commandDetail(invocations, allowed);
    expect([found, statusOf(found)]).toEqual([detail, status]);
  });
});

describe("rates", () => {
  test.each([
    ["3", 10, 3],
    ["100", 10, 100],
    ["10%", 5, 1],
    ["50%", 5, 3],
    ["1%", 1000, 10],
    ["100%", 7, 7],
    ["50%", 0, 1],
  ])("MaxConcurrency %s of %i is %i", (text, targets, expected) => {
    expect(concurrencyOf(text, targets)).toBe(expected);
  });

  test.each([
    ["0", 10, 0],
    ["3", 10, 3],
    ["0%", 10, 0],
    ["10%", 50, 5],
    ["10%", 9, 0],
    ["100%", 7, 7],
  ])("MaxErrors %s of %i is %i", (text, targets, expected) => {
    expect(allowedErrorsOf(text, targets)).toBe(expected);
  });

  test.each(["0", "-1", "0%", "101%", "1.5", "", "many"])("MaxConcurrency %j is refused", (text) => {
    expect(() => concurrencyOf(text, 5)).toThrow(expect.objectContaining({ code: "ValidationException" }));
  });
});
