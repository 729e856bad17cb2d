import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { StepName } from "../../../contract/steps.ts";
import { type Bench, openBench } from "../bench.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Stands before a program, and is killed once, when it is asked for what is given: as the kernel does when memory runs out. */
const standIn = (program: string, asked: string) => `#!/bin/sh
case "$*" in *${asked}*) test -e /run/was-killed || { touch /run/was-killed; kill -9 $$; };; esac
exec ${program}.real "$@"
`;

const ORDER: readonly StepName[] = ["preflight", "download", "verify", "backup", "install", "rollback"];

test.each([
  ["verify", "/usr/bin/gpgv", "--status-fd"],
  ["verify", "/usr/bin/apt-get", "indextargets"],
  ["download", "/usr/bin/dpkg-deb", "--contents"],
  ["download", "/usr/bin/dpkg-deb", "--ctrl-tarfile"],
  ["verify", "/usr/bin/dpkg-deb", "--contents"],
  ["backup", "/usr/bin/dpkg-deb", "--contents"],
  ["backup", "/usr/bin/dpkg-deb", "--ctrl-tarfile"],
  ["backup", "/usr/bin/find", "-printf"],
  ["install", "/usr/bin/apt-get", "--simulate"],
  ["install", "/usr/bin/dpkg-deb", "--ctrl-tarfile"],
  ["rollback", "/usr/bin/perl", "lock-frontend"],
] as const)(
  "%s, when %s is killed (%s): no sign of tampering, nothing is changed, and it may be done again",
  async (step, program, asked) => {
    const host = await bench.host();
    for (const earlier of ORDER.slice(0, ORDER.indexOf(step))) await host.step(earlier);
    // What the download has read of the packages is kept; without it, the later steps read it themselves.
    await host.run("rm", "-rf", `${HOST_PATHS.state}/debs`);
    const status = host.read("/var/lib/dpkg/status");
    await host.run("mv", program, `${program}.real`);
    host.write(program, standIn(program, asked), 0o755);

    const { result } = await host.step(step);
    const unchanged = host.read("/var/lib/dpkg/status") === status;
    const again = await host.step(step);

    expect(result).toMatchObject({
      outcome: "failed",
      code: "programKilled",
      retryable: true,
      message: expect.stringMatching(/^(gpgv|apt-get|dpkg-deb|find|perl) .* was ended by SIGKILL; /),
    });
    expect(unchanged).toBe(true);
    expect((await host.run("ls", `${HOST_PATHS.state}/violations.jsonl`)).exitCode).not.toBe(0);
    expect(again.result, JSON.stringify(again.result)).toMatchObject({ outcome: "succeeded" });
    await host.close();
  },
);
