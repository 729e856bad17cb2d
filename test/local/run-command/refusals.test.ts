import { beforeAll, describe, expect, test } from "vitest";
import { cloneAsHost } from "./agent-host.ts";
import { ACCOUNT, fleetOn, runCommandOver, shell, type TestNode } from "./fleet.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});

const fleet = (size: number): TestNode[] => fleetOn(host, size);

describe("what SendCommand refuses", () => {
  const nodes = () => fleet(2);
  test.each([
    ["InvalidDocument", { DocumentName: "No-Such" }, "Document with name No-Such does not exist."],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], timeoutSeconds: ["9"] } },
      "Test-Shell: there is no parameter timeoutSeconds",
    ],
    ["InvalidParameters", { Parameters: {} }, "Test-Shell: parameter commands is missing and has no default"],
    [
      "InvalidParameters",
      { Parameters: { commands: [] } },
      "Test-Shell: parameter commands has 0 values, allowed are 1 to Infinity",
    ],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], mode: ["A"] } },
      "Test-Shell: parameter mode does not match the allowed pattern ^[a-z]+$",
    ],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], mode: ["other"] } },
      "Test-Shell: parameter mode is not one of plain, fancy",
    ],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], mode: ["plainer"] } },
      "Test-Shell: parameter mode has 7 characters, allowed are 0 to 6",
    ],
    [
      "InvalidParameters",
      { Parameters: { commands: ["a"], mode: ["a", "b"] } },
      "Test-Shell: parameter mode is a String and takes one value, not 2",
    ],
    [
      "InvalidInstanceId",
      { InstanceIds: ["i-00000000000000001", "i-9", "i-00000000000000002"] },
      `Instances [[i-9, i-00000000000000002]] not in a valid state for account ${ACCOUNT}`,
    ],
    [
      "DuplicateInstanceId",
      { InstanceIds: ["i-00000000000000001", "i-00000000000000001"] },
      "You can't specify a managed node ID in more than one association.",
    ],
    [
      "ValidationException",
      { Comment: "c".repeat(101) },
      `1 validation error detected: Value '${"c".repeat(101)}' at 'comment' failed to satisfy constraint: Member must have length less than or equal to 100`,
    ],
    [
      "ValidationException",
      { TimeoutSeconds: 29 },
      "1 validation error detected: Value '29' at 'timeoutSeconds' failed to satisfy constraint: Member must have value greater than or equal to 30",
    ],
    [
      "ValidationException",
      { TimeoutSeconds: 2_592_001 },
      "1 validation error detected: Value '2592001' at 'timeoutSeconds' failed to satisfy constraint: Member must have value less than or equal to 2592000",
    ],
    [
      "ValidationException",
      { MaxErrors: "many" },
      "1 validation error detected: Value 'many' at 'maxErrors' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$",
    ],
    [
      "NotModelledLocally",
      { NotificationConfig: {} },
      "ssm SendCommand with NotificationConfig is not done by the local stack",
    ],
  ])("%s %j", (code, change, message) => {
    const [first, second] = nodes() as [TestNode, TestNode];
    second.set("stopped");
    const { service } = runCommandOver([first, second]);
    const request = { ...shell([first], "true"), ...change };
    expect(() => service.sendCommand(request)).toThrow(expect.objectContaining({ code, message }));
    expect(service.listCommands().Commands).toEqual([]);
  });

  test("51 instances", () => {
    const many = fleet(51);
    const { service } = runCommandOver(many);
    const message = expect.stringMatching(/at 'instanceIds' failed .* length less than or equal to 50$/);
    expect(() => service.sendCommand(shell(many, "true"))).toThrow(
      expect.objectContaining({ code: "ValidationException", message }),
    );
  });
});
