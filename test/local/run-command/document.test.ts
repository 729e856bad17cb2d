import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DocumentResult, runDocument } from "../../../local/run-command/document/run-document.ts";
import type { AgentHost } from "../../../local/run-command/document/script.ts";
import { cloneAsHost } from "./agent-host.ts";

const COMMAND = "5a8e4b1c-0d3f-4c55-9d1e-7f1b6c2a9e10";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});
afterAll(() => host.close());

interface Given {
  readonly steps: readonly Record<string, unknown>[];
  readonly definitions?: Record<string, unknown>;
  readonly parameters?: Record<string, string[]>;
  readonly on?: AgentHost;
  readonly signal?: AbortSignal;
}

function run({ steps, definitions = {}, parameters = {}, on = host, signal }: Given): Promise<DocumentResult> {
  const mainSteps = steps.map((step, index) => ({ action: "aws:runShellScript", name: `step${index}`, ...step }));
  return runDocument({
    document: { schemaVersion: "2.2", parameters: definitions, mainSteps },
    parameters,
    commandId: COMMAND,
    host: on,
    now: () => new Date(0),
    ...(signal === undefined ? {} : { signal }),
  });
}

const answers = (result: DocumentResult) => result.steps.map((s) => [s.status, s.exitCode, s.stdout, s.stderr]);
const shell = (...runCommand: string[]) => ({ inputs: { runCommand } });

describe("the script", () => {
  test("a first line with #! chooses the interpreter", async () => {
    const result = await run({ steps: [shell("#!/bin/bash", 'echo "${BASH_VERSION:+bash}"')] });
    expect(answers(result)).toEqual([["Success", 0, "bash\n", ""]]);
  });

  test("lies in a file that root alone can read, and errors name it", async () => {
    const result = await run({ steps: [shell('stat -c "%a %U" "$0"', "no-such-program")] });
    const file = `/var/lib/amazon/ssm/i-0123456789abcdef0/document/orchestration/${COMMAND}/step0/_script.sh`;
    const stderr = `${file}: 2: no-such-program: not found\nfailed to run commands: exit status 127`;
    expect(answers(result)).toEqual([["Failed", 127, "700 root\n", stderr]]);
  });

  test("ended by a signal it reports what its shell makes of it; SIGKILL reads as timed out", async () => {
    const result = await run({
      steps: [shell("echo a; kill -TERM $$"), shell("kill -KILL $$"), shell("kill -TERM $PPID")],
    });
    expect(answers(result)).toEqual([
      ["Failed", 143, "a\n", "Terminated\nfailed to run commands: exit status 143"],
      ["TimedOut", 137, "", "Killed\n"],
      ["Failed", -1, "", "failed to run commands: signal: terminated"],
    ]);
  });

  test("sees exactly the agent's environment, its own last", async () => {
    const environment = { EXTRA: "a b", PATH: "/bin:/usr/bin", SSM_COMMAND_ID: "mine", AWS_SSM_REGION_NAME: "mine" };
    const result = await run({ steps: [{ inputs: { runCommand: ["env | grep -v ^PWD= | sort"], environment } }] });
    const lines = [
      "AWS_SSM_INSTANCE_ID=i-0123456789abcdef0",
      "AWS_SSM_PLATFORM_NAME=Debian GNU/Linux",
      "AWS_SSM_PLATFORM_VERSION=12",
      "AWS_SSM_REGION_NAME=us-east-1",
      "EXTRA=a b",
      "PATH=/bin:/usr/bin",
      `SSM_COMMAND_ID=${COMMAND}`,
    ];
    expect(answers(result)).toEqual([["Success", 0, `${lines.join("\n")}\n`, ""]]);
  });

  test("has the agent's umask and stdin, whatever the door to the host hands over", async () => {
    const on: AgentHost = {
      ...host,
      exec: (file, args, options) =>
        host.exec("/bin/sh", ["-c", 'umask 077; exec "$@"', "sh", file, ...args], { input: "leaked", ...options }),
    };
    const result = await run({ on, steps: [shell("umask; cat; readlink /proc/self/fd/0")] });
    expect(answers(result)).toEqual([["Success", 0, "0022\n/dev/null\n", ""]]);
  });

  test("of an output beyond all limits the beginning is reported", async () => {
    const result = await run({ steps: [shell("seq 1 200000; seq 1 200000 >&2")] });
    const expected = Array.from({ length: 6000 }, (_, index) => `${index + 1}\n`).join("");
    const reported = `${expected.slice(0, 24_000 - 20)}--output truncated--`;
    expect(answers(result)).toEqual([["Success", 0, reported, reported]]);
  });

  test.each([
    ["/var/tmp", ["Success", 0, "/var/tmp\n", ""]],
    ["relative", ["Success", 0, "/usr/bin\n", ""]],
    ["/no/such", ["Failed", 1, "", "failed to run commands: fork/exec /usr/bin/sh: no such file or directory"]],
    ["/etc/passwd", ["Failed", 1, "", "failed to run commands: fork/exec /usr/bin/sh: not a directory"]],
  ])("working directory %s", async (workingDirectory, expected) => {
    const result = await run({ steps: [{ inputs: { runCommand: ["pwd"], workingDirectory } }] });
    expect(answers(result)).toEqual([expected]);
  });

  test("at the time-out a child in a session of its own lives on and the answer does not wait for it", async () => {
    const survivor = "setsid sh -c 'sleep 7; touch /var/tmp/survived' & echo started; sleep 60";
    const startedAt = Date.now();
    const result = await run({ steps: [{ inputs: { runCommand: [survivor], timeoutSeconds: 5 } }] });
    const tookMs = Date.now() - startedAt;
    await new Promise((resolve) => setTimeout(resolve, 3500));
    const survived = await host.exec("/usr/bin/test", ["-e", "/var/tmp/survived"], { deadlineMs: 5000 });
    expect(answers(result)).toEqual([["TimedOut", 137, "started\n", ""]]);
    expect(tookMs).toBeLessThan(6800);
    expect(survived.exitCode).toBe(0);
  });
});

describe("inputs", () => {
  test.each([
    [{}, ["Success", 0, "", ""]],
    [{ RUNCOMMAND: ["echo any case"] }, ["Success", 0, "any case\n", ""]],
    [{ runCommand: null }, ["Success", 0, "", ""]],
    [
      { runCommand: "echo hi" },
      [
        "Failed",
        1,
        "",
        "Invalid format in plugin properties map[runCommand:echo hi];\nerror json: cannot unmarshal string into Go struct field RunScriptPluginInput.RunCommand of type []string",
      ],
    ],
    [
      { runCommand: ["a", 5], timeoutSeconds: "9" },
      [
        "Failed",
        1,
        "",
        "Invalid format in plugin properties map[runCommand:[a 5] timeoutSeconds:9];\nerror json: cannot unmarshal number into Go struct field RunScriptPluginInput.RunCommand of type string",
      ],
    ],
    [
      { runCommand: [], environment: { A: true } },
      [
        "Failed",
        1,
        "",
        "Invalid format in plugin properties map[environment:map[A:true] runCommand:[]];\nerror json: cannot unmarshal bool into Go struct field RunScriptPluginInput.Environment of type string",
      ],
    ],
  ])("%j", async (inputs, expected) => {
    expect(answers(await run({ steps: [{ inputs }] }))).toEqual([expected]);
  });
});

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

describe("parameters", () => {
  test("values of every type, alone and inside text", async () => {
    const definitions = {
      flag: { type: "Boolean", default: true },
      count: { type: "Integer", default: 12 },
      table: { type: "StringMap", default: { b: "<x>", a: "1" } },
      rows: { type: "MapList", default: [{ k: "v" }] },
      missing: { type: "String" },
      "un-usual": { type: "StringList", default: ["p"] },
    };
    const lines = ["echo '{{flag}} {{ count }} {{ table }} {{ rows }} {{ missing }} {{ un-usual }}'"];
    const inputs = { runCommand: [...lines, "{{ missing }}", "echo '{{ un-usual }}'"], timeoutSeconds: "{{ count }}" };
    const result = await run({ definitions, steps: [{ inputs }] });
    const printed = 'true 12 {"a":"1","b":"\\u003cx\\u003e"} [{"k":"v"}] null ["p"]\n["p"]\n';
    expect(answers(result)).toEqual([["Success", 0, printed, ""]]);
  });

  test("$$ stays when the value stands alone and a value is never substituted again", async () => {
    const definitions = { a: { type: "String", default: "echo '{{ b }}' $$0" }, b: { type: "String", default: "B" } };
    const result = await run({
      definitions,
      steps: [{ inputs: { runCommand: ["echo() { printf '%s' \"$1\"; }", "{{ a }}"] } }],
    });
    expect(answers(result)).toEqual([["Success", 0, "{{ b }}", ""]]);
  });

  test.each([
    [{ type: "String", allowedPattern: "^x$" }, {}, "invalid parameter type String with parameter value <nil>"],
    [
      { type: "StringList", allowedPattern: "^[a-z]+$" },
      { v: ["ok", "N O"] },
      "parameter value /N O/ does not match the allowed pattern /^[a-z]+$/",
    ],
    [
      { type: "String", allowedPattern: "^(?=a)" },
      { v: ["a"] },
      "encountered error while compiling allowed pattern - internal error: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
    ],
    [
      { type: "String", allowedPattern: "^a$" },
      { v: ["a\n"] },
      "parameter value /a\n/ does not match the allowed pattern /^a$/",
    ],
  ])("%j refuses %j", async (definition, parameters: Record<string, string[]>, reason) => {
    const result = await run({ definitions: { v: definition }, parameters, steps: [shell("echo {{ v }}")] });
    expect(result.trace).toBe(
      `all errors during param validation errors: error thrown in 'AllowedRegexParamValidator' while validating parameter /v/: ${reason}`,
    );
    expect(result.steps.map((s) => s.status)).toEqual(["NotReported"]);
  });
});
