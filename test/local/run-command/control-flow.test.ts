import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runDocument } from "../../../local/run-command/document/run-document.ts";
import { cloneAsHost } from "./agent-host.ts";
import { answers, COMMAND, type Given, runSteps, shell } from "./steps.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});
afterAll(() => host.close());

const run = (given: Given) => runSteps(host, given);

describe("control flow", () => {
  test("finallyStep counts on the last step alone, and onFailure does not act on a time-out", async () => {
    const result = await run({
      steps: [
        { inputs: { runCommand: ["exit 137"], onFailure: "exit" } },
        { inputs: { runCommand: ["exit 169"] } },
        { inputs: { runCommand: ["echo early"], finallyStep: "true" } },
        { inputs: { runCommand: ["echo last"], finallyStep: true } },
      ],
    });
    expect(result.status).toBe("Failed");
    expect(result.steps.map((s) => [s.status, s.exitCode])).toEqual([
      ["TimedOut", 137],
      ["Failed", 169],
      ["Skipped", 0],
      ["Success", 0],
    ]);
  });

  test("plugins of other systems, unknown ones, and PowerShell where there is none", async () => {
    const linux = { StringEquals: ["linux", "platformType"] };
    const result = await run({
      steps: [
        { action: "aws:psModule" },
        { action: "aws:nosuch" },
        { action: "aws:runPowerShellScript", ...shell("Get-Date") },
        { action: "aws:runPowerShellScript", precondition: { StringEquals: ["platformType", "Windows"] } },
        { ...shell("echo linux"), precondition: linux },
        { ...shell("echo no"), precondition: { StringLike: ["platformType", "Linux"] } },
      ],
    });
    expect(result.steps.map((s) => [s.status, s.exitCode, s.stderr, s.summary])).toEqual([
      ["Skipped", 0, "", "Step execution skipped due to unsupported plugin: aws:psModule. Step name: step0"],
      [
        "Failed",
        1,
        "",
        "Plugin with name aws:nosuch is not supported by this version of ssm agent, please update to latest version. Step name: step1",
      ],
      [
        "Failed",
        1,
        "failed to run commands: fork/exec /usr/bin/pwsh: no such file or directory",
        "\n----------ERROR-------\nfailed to run commands: fork/exec /usr/bin/pwsh: no such file or directory",
      ],
      [
        "Skipped",
        0,
        "",
        "Step execution skipped due to unsatisfied preconditions: '\"StringEquals\": [platformType, Windows]'. Step name: step3",
      ],
      ["Success", 0, "", "linux\n"],
      [
        "Failed",
        1,
        "",
        "Unrecognized precondition(s): 'unrecognized operator: \"StringLike\"', please update agent to latest version. Step name: step5",
      ],
    ]);
  });

  test("a step that always asks for a reboot is given up after 16 runs", async () => {
    let reboots = 0;
    const on = { ...host, reboot: async () => void reboots++ };
    const result = await run({ on, steps: [shell("echo again; exit 194"), shell("echo never")] });
    expect(reboots).toBe(15);
    expect(result.status).toBe("InProgress");
    expect(answers(result)).toEqual([["InProgress", 194, "again\n".repeat(16), ""]]);
  });

  test("cancelling kills the running script and cancels later steps", async () => {
    const cancel = new AbortController();
    setTimeout(() => cancel.abort(), 700);
    const result = await run({ signal: cancel.signal, steps: [shell("echo a; sleep 30"), shell("echo b")] });
    expect(result.status).toBe("Cancelled");
    expect(answers(result)).toEqual([
      ["Cancelled", 137, "a\n", ""],
      ["Cancelled", 1, "", ""],
    ]);
  });

  test("what the real agent would run and the local one does not is named", async () => {
    await expect(run({ steps: [{ action: "aws:downloadContent", inputs: {} }] })).rejects.toThrow(
      "step step0: aws:downloadContent is not run by the local stack",
    );
    await expect(run({ steps: [shell("echo {{ ssm:/a/b:1 }}")] })).rejects.toThrow(
      "{{ ssm:/a/b:1 }}: Parameter Store is not asked by the local stack",
    );
    const old = { schemaVersion: "1.2", runtimeConfig: {} };
    const asked = runDocument({ document: old, parameters: {}, commandId: COMMAND, host, now: () => new Date(0) });
    await expect(asked).rejects.toThrow("document schema version 1.2 is not run by the local stack; write it as 2.2");
  });
});
