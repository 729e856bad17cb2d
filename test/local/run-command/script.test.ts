import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AgentHost } from "../../../local/run-command/document/script.ts";
import { cloneAsHost } from "./agent-host.ts";
import { answers, COMMAND, type Given, runSteps, shell } from "./steps.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
beforeAll(async () => {
  host = await cloneAsHost();
});
afterAll(() => host.close());

const run = (given: Given) => runSteps(host, given);

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
