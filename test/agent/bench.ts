import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAgent } from "../../agent/build/executable.ts";
import { layAgent } from "../../agent/build/layer.ts";
import type { ExecResult } from "../../agent/host/exec.ts";
import { decodeResult } from "../../contract/frame.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { DEFAULT_POLICY, encodeRequest, type HostRequest, type PatchPolicy } from "../../contract/request.ts";
import { StepReport } from "../../contract/step-report.ts";
import type { StepName } from "../../contract/steps.ts";
import { defaultCacheFolder, openBase } from "../../local/hosts/base.ts";
import type { BaseSuite } from "../../local/hosts/base-recipe.ts";
import type { Seen } from "../../local/hosts/fingerprint.ts";
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

/** A host with the agent on it, whatever it lives in. */
export interface AnyAgentHost {
  readonly id: string;
  readonly root: string;
  run(file: string, ...args: string[]): Promise<ExecResult>;
  /** Sends a step as SSM would; HOME and USER are not set. @returns exit code and decoded result */
  step(step: StepName, changes?: Changes): Promise<Answer>;
  /** The full report the host kept of a step. */
  report(step: StepName, runId?: string): StepReport;
  read(path: string): string;
  write(path: string, content: string | Uint8Array, mode?: number): void;
  close(): Promise<void>;
}

/** A host without a systemd of its own: quick, and enough for most. test/agent/booted.ts has those that boot. */
export interface AgentHost extends AnyAgentHost {
  readonly sandbox: Host["sandbox"];
}

export interface Answer {
  readonly exit: number | null;
  readonly result: StepReport["result"];
  readonly stderr: string;
}

export const RUN = "run-1";
export const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Nobody answers there: reports stay on the host. What is typed is not rehearsed unless a test says so. */
export const NO_CLOUD =
  "AWS_REGION=eu-west-3\nAUTOPATCH_REHEARSE=off\nAWS_ENDPOINT_URL=http://127.0.0.1:9/\nAWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9/\n";

/** @param suite Debian release of the hosts @default "bookworm" */
export async function openBench(suite: BaseSuite = "bookworm"): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-bench-"));
  const base = await openBase({ variant: "minimal", suite });
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
      return sandboxHost(made);
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

function sandboxHost(host: Host): AgentHost {
  const { id, sandbox } = host;
  // Its root is another one after each reboot, so it is asked for each time.
  return Object.assign(agentHost({ id, seen: sandbox, close: () => host.close() }), { sandbox });
}

/** The agent's side of a host. */
export function agentHost(host: {
  readonly id: string;
  readonly seen: Pick<Seen, "root" | "exec">;
  close(): Promise<void>;
}): AnyAgentHost {
  const { id, seen } = host;
  let attempt = 0;
  return {
    id,
    get root() {
      return seen.root;
    },
    run: (file, ...args) => seen.exec(file, args, { deadlineMs: 180_000, env: { PATH, HOME: "/root" } }),
    step: async (step, changes = {}) => {
      const request = requestFor(id, step, ++attempt, changes);
      return send({ id, exec: seen.exec }, step, encodeRequest(request));
    },
    report: (step, runId = RUN) => {
      const path = `${HOST_PATHS.state}/runs/${runId}/${step}-${attempt}.json`;
      return StepReport.parse(JSON.parse(readFileSync(inside(seen.root, path), "utf8")));
    },
    read: (path) => readFileSync(inside(seen.root, path), "utf8"),
    write: (path, content, mode) => writeInside(seen.root, path, content, mode),
    close: () => host.close(),
  };
}

/** A request for one host that no wait drags out. */
export function requestFor(id: string, step: StepName, attempt: number, changes: Changes = {}): HostRequest {
  return {
    contractVersion: 1,
    runId: RUN,
    fleet: "web",
    steps: [step],
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
    deadlineMs: 180_000,
    cwd: "/usr/bin",
    env: { PATH, AWS_SSM_INSTANCE_ID: host.id, AWS_SSM_REGION_NAME: "eu-west-3", SSM_COMMAND_ID: "command" },
  });
  const decoded = decodeResult(answer.stdout);
  if (!decoded.ok) throw new Error(`${step}: ${decoded.why}; stderr: ${answer.stderr}`);
  return { exit: answer.exitCode, result: decoded.result, stderr: answer.stderr };
}

export type Changes = Partial<Omit<HostRequest, "policy">> & { policy?: Partial<PatchPolicy> };

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
