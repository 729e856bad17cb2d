import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAgent } from "../../agent/build/executable.ts";
import { layAgent } from "../../agent/build/layer.ts";
import type { ExecResult } from "../../agent/host/exec.ts";
import { decodeResult } from "../../contract/frame.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { DEFAULT_POLICY, encodeRequest, type PatchPolicy, type StepRequest } from "../../contract/request.ts";
import { StepReport } from "../../contract/step-report.ts";
import type { StepName } from "../../contract/steps.ts";
import { defaultCacheFolder, openBase } from "../../local/hosts/base.ts";
import { type Host, type HostOptions, openHosts } from "../../local/hosts/host.ts";
import { inside, writeInside } from "../../local/hosts/inside.ts";
import { openSampleRepository, type SampleRepository } from "../../local/hosts/sample/repository.ts";

/** Sandbox hosts with the built agent on them and the signed sample repository beside: what the agent's tests run on. */
export interface Bench {
  readonly repository: SampleRepository;
  /** A host whose webapp, reportd and metricsd are at 1.0-1 and could be at 2.0-1. */
  host(options?: Partial<HostOptions>): Promise<AgentHost>;
  /** A further repository: the same packages, another key. */
  otherRepository(date?: Date): Promise<SampleRepository>;
  close(): Promise<void>;
}

export interface AgentHost {
  readonly id: string;
  readonly root: string;
  readonly sandbox: Host["sandbox"];
  run(file: string, ...args: string[]): Promise<ExecResult>;
  /** Sends a step as SSM would; HOME and USER are not set. @returns exit code and decoded result */
  step(step: StepName, changes?: Changes): Promise<Answer>;
  /** The full report the host kept of a step. */
  report(step: StepName, runId?: string): StepReport;
  read(path: string): string;
  write(path: string, content: string | Uint8Array, mode?: number): void;
  close(): Promise<void>;
}

export interface Answer {
  readonly exit: number | null;
  readonly result: StepReport["result"];
  readonly stderr: string;
}

export const RUN = "run-1";
export const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Nobody answers there: reports stay on the host. */
const NO_CLOUD =
  "AWS_REGION=eu-west-3\nAWS_ENDPOINT_URL=http://127.0.0.1:9/\nAWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9/\n";

export async function openBench(): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-bench-"));
  const base = await openBase({ variant: "minimal" });
  const repository = await openSampleRepository({ folder: join(folder, "repository"), date: new Date() });
  const agents = join(defaultCacheFolder(), "agents");
  const built = await buildAgent({ outdir: join(folder, "dist"), cacheDir: agents });
  const layer = join(folder, "layer");
  layAgent(layer, { executable: built.path, config: NO_CLOUD });
  const hosts = await openHosts({ base, count: 2, repository });
  const others: SampleRepository[] = [];
  let number = 0;
  return {
    repository,
    host: async (options = {}) => {
      const id = `i-${String(++number).padStart(17, "0")}`;
      const made = await hosts.create({
        id,
        name: `web-${number}`,
        role: "plain",
        sources: ["sample"],
        agentLayer: layer,
        ...options,
      });
      return agentHost(made);
    },
    otherRepository: async (date = new Date()) => {
      const other = await openSampleRepository({ folder: join(folder, `other-${others.length}`), date });
      others.push(other);
      return other;
    },
    close: async () => {
      await hosts.closeAll();
      for (const one of [repository, ...others]) await one.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function agentHost(host: Host): AgentHost {
  let attempt = 0;
  return {
    id: host.id,
    // Another one after each reboot.
    get root() {
      return host.sandbox.root;
    },
    sandbox: host.sandbox,
    run: (file, ...args) => host.exec(file, args, { deadlineMs: 60_000, env: { PATH, HOME: "/root" } }),
    step: async (step, changes = {}) => {
      const request = requestFor(host.id, step, ++attempt, changes);
      return send(host, step, encodeRequest(request));
    },
    report: (step, runId = RUN) => {
      const path = `${HOST_PATHS.state}/runs/${runId}/${step}-${attempt}.json`;
      return StepReport.parse(JSON.parse(readFileSync(inside(host.sandbox.root, path), "utf8")));
    },
    read: (path) => readFileSync(inside(host.sandbox.root, path), "utf8"),
    write: (path, content, mode) => writeInside(host.sandbox.root, path, content, mode),
    close: () => host.close(),
  };
}

/** A request for one host that no wait drags out. */
export function requestFor(id: string, step: StepName, attempt: number, changes: Changes = {}): StepRequest {
  return {
    contractVersion: 1,
    runId: RUN,
    fleet: "web",
    step,
    attempt,
    expiresAt: new Date(Date.now() + 600_000).toISOString(),
    instanceIds: [id],
    dryRun: false,
    bucket: "autopatch-data",
    ...changes,
    policy: { ...DEFAULT_POLICY, lockWaitSeconds: 1, ...changes.policy },
  };
}

/** Calls the step program with the very environment the SSM agent gives. */
export async function send(host: Pick<Host, "id" | "exec">, step: string, request: string): Promise<Answer> {
  const answer = await host.exec(HOST_PATHS.executable, ["step", step, "--request", request], {
    deadlineMs: 60_000,
    cwd: "/usr/bin",
    env: { PATH, AWS_SSM_INSTANCE_ID: host.id, AWS_SSM_REGION_NAME: "eu-west-3", SSM_COMMAND_ID: "command" },
  });
  const decoded = decodeResult(answer.stdout);
  if (!decoded.ok) throw new Error(`${step}: ${decoded.why}; stderr: ${answer.stderr}`);
  return { exit: answer.exitCode, result: decoded.result, stderr: answer.stderr };
}

export type Changes = Partial<Omit<StepRequest, "policy">> & { policy?: Partial<PatchPolicy> };

/** Holds a lock as dpkg does, by fcntl, from a process of the host called perl. */
export async function holdLock(host: AgentHost, file: string): Promise<{ pid: number; release(): Promise<void> }> {
  const program = `use Fcntl; $| = 1; open(F, "+>", $ARGV[0]) or die "open: $!";
    my $lock = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $lock) or die "fcntl: $!"; print "$$\\n"; sleep 120`;
  let held: Promise<unknown> = Promise.resolve();
  const pid = await new Promise<number>((resolve, reject) => {
    held = host.sandbox
      .exec("perl", ["-e", program, file], { deadlineMs: 120_000, onStdout: (chunk) => resolve(Number(chunk)) })
      .then((end) => reject(new Error(`the lock was not held: ${end.stderr}`)));
  });
  return {
    pid,
    release: async () => {
      await killInside(host, pid);
      await held;
    },
  };
}

/** SIGKILL to a process of the host, by the number it has there; minbase has no kill but the shell's. */
export async function killInside(host: Pick<AgentHost, "run">, pid: number): Promise<void> {
  await host.run("sh", "-c", 'kill -9 "$1"', "sh", String(pid));
}
