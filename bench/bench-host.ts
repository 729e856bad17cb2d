import type { ExecResult } from "../agent/host/exec.ts";
import { decodeResult } from "../contract/frame.ts";
import { HOST_PATHS } from "../contract/names.ts";
import { DEFAULT_POLICY, encodeRequest } from "../contract/request.ts";
import type { StepName } from "../contract/steps.ts";
import type { Host } from "../local/hosts/host.ts";

const DEADLINE_MS = 600_000;
const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  DEBIAN_FRONTEND: "noninteractive",
  RESTIC_PASSWORD: "bench",
  BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
};

/** A sandbox host on which programs are timed from outside, start-up included. */
export class BenchHost {
  readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  /** @throws Error with the program's last words when it fails: what failed is not timed */
  async run(
    file: string,
    args: readonly string[],
    options: { input?: string; cwd?: string } = {},
  ): Promise<ExecResult> {
    const result = await this.host.exec(file, args, { deadlineMs: DEADLINE_MS, env: ENVIRONMENT, ...options });
    if (result.exitCode === 0) return result;
    const words = (result.stderr.trim() || result.stdout.trim()).slice(-600);
    throw new Error(`${file} ${args.slice(0, 3).join(" ")}: exit ${result.exitCode}: ${words}`);
  }

  /** Milliseconds a program took. */
  async time(file: string, args: readonly string[], options: { input?: string; cwd?: string } = {}): Promise<number> {
    const from = performance.now();
    await this.run(file, args, options);
    return performance.now() - from;
  }

  /** Does one step as SSM would, and says how long the program took. @throws Error when it did not succeed */
  async step(step: StepName, runId: string): Promise<number> {
    const request = encodeRequest({
      contractVersion: 1,
      runId,
      fleet: "bench",
      steps: [step],
      attempt: 1,
      expiresAt: new Date(Date.now() + DEADLINE_MS).toISOString(),
      instanceIds: [this.host.id],
      dryRun: false,
      bucket: "bench",
      policy: DEFAULT_POLICY,
    });
    const from = performance.now();
    const env = { ...ENVIRONMENT, AWS_SSM_INSTANCE_ID: this.host.id, AWS_SSM_REGION_NAME: "eu-west-3" };
    const args = ["step", step, "--request", request];
    const answer = await this.host.exec(HOST_PATHS.executable, args, { deadlineMs: DEADLINE_MS, env });
    const took = performance.now() - from;
    const decoded = decodeResult(answer.stdout);
    if (!decoded.ok) throw new Error(`${step}: ${decoded.why}: ${answer.stderr.slice(-600)}`);
    const { outcome } = decoded.result;
    if (outcome !== "succeeded" && outcome !== "rebootRequired")
      throw new Error(`${step}: ${outcome}: ${answer.stderr.slice(-600)}`);
    return took;
  }

  /** Bytes below a folder; content that is linked twice counts once. */
  async bytes(folder: string): Promise<number> {
    const { stdout } = await this.run("du", ["-s", "--block-size=1", folder]);
    return Number.parseInt(stdout, 10);
  }
}
