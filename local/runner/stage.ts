import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildAgent } from "../../agent/build/executable.ts";
import { layAgent } from "../../agent/build/layer.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { FleetConfig } from "../../infra/config.ts";
import { synthesise } from "../../infra/synthesise.ts";
import { type Cloud, openCloud } from "../cloud/cloud.ts";
import { deploy } from "../cloud/deployment.ts";
import type { Place } from "../cloud/resources.ts";
import { type Assembly, readAssembly, sha256File } from "../cloud/template.ts";
import { defaultCacheFolder, openBase } from "../hosts/base.ts";
import type { Fingerprint } from "../hosts/fingerprint.ts";
import { type Host, type Hosts, openHosts } from "../hosts/host.ts";
import { writeInside } from "../hosts/inside.ts";
import { PREPARATION } from "../hosts/sample/packages.ts";
import { openSampleRepository, type SampleRepository } from "../hosts/sample/repository.ts";
import type { PackageSource } from "../hosts/sources.ts";
import { fleetPublicKey } from "./fleet-key.ts";
import type { Options } from "./options.ts";
import type { Phases } from "./phases.ts";
import type { StoryHost } from "./story.ts";

/** A host on the stage, and what it was before the run. */
export interface StagedHost {
  readonly story: StoryHost;
  readonly host: Host;
  readonly before: Fingerprint;
}

/** Everything the run needs, standing. Opened things are closed by the stack they were given to, last first. */
export interface Stage {
  readonly assembly: Assembly;
  readonly cloud: Cloud;
  readonly hosts: readonly StagedHost[];
  /** Undefined where hosts have Debian's packages alone. */
  readonly sample: SampleStock | undefined;
  readonly folder: string;
}

/** The sample repository, and its mirrors by name. */
export interface SampleStock {
  readonly repository: SampleRepository;
  readonly mirrors: ReadonlyMap<string, SampleRepository>;
}

export interface StageOptions {
  readonly options: Options;
  readonly story: readonly StoryHost[];
  /** Root of the repository; its cdk.out is brought up to date. */
  readonly repository: string;
  /** As in cdk.json's context `autopatch`. */
  readonly config: FleetConfig;
  readonly phases: Phases;
  readonly closing: AsyncDisposableStack;
  readonly signal: AbortSignal;
  say(text: string): void;
  log(line: string): void;
}

/** The account and Region that the local stack stands for; the number is the one AWS's own examples use. */
const PLACE = { account: "123456789012", region: "eu-west-1" };
const PLATFORM = { type: "linux", name: "Debian GNU/Linux", version: "12" } as const;

/** Builds agent, base and stack side by side, then opens hosts and cloud and takes each host's fingerprint. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { phases, story, closing, say } = options;
  const cacheDir = join(defaultCacheFolder(), "agents");
  // Of this run alone: another run may be writing its own at the same time.
  const outdir = join(cacheDir, `run-${process.pid}`);
  closing.defer(() => rmSync(outdir, { recursive: true, force: true }));
  const [base, agent] = await Promise.all([
    phases.measure("base", () => openBase({ variant: "fleet", onProgress: say, signal: options.signal })),
    phases.measure("agent", () => buildAgent({ outdir, cacheDir })),
  ]);
  const sample = options.options.packages === "debian" ? undefined : await openSample(options);
  const hosts = await openHosts({
    base,
    count: story.length,
    ...(sample === undefined ? {} : { repository: sample.repository }),
  });
  closing.defer(() => hosts.closeAll({ keep: options.options.keep }));
  say(`hosts in ${hosts.folder}: ${hosts.reason}`);

  const assembly = await phases.measure("synth", async () => synthesiseInto(hosts.folder, options));
  const place: Place = { ...PLACE, stackName: options.config.stackName };
  const cloud = await phases.measure("cloud", () =>
    openCloud({ deployment: deploy(assembly, place), folder: hosts.folder, log: options.log }),
  );
  closing.defer(() => cloud.close());

  const agentLayer = join(hosts.folder, "agent-layer");
  layAgent(agentLayer, { executable: agent.path });
  const staged = await phases.measure("hosts", async () => {
    const opened = await Promise.all(
      story.map((one) => openHost(one, { hosts, agentLayer, sample, options: options.options })),
    );
    const key = await fleetPublicKey(cloud);
    return Promise.all(opened.map((host, index) => enrol(host, story[index] as StoryHost, { cloud, key, ...options })));
  });
  return { assembly, cloud, hosts: staged, sample, folder: hosts.folder };
}

async function openSample({ phases, closing, story }: StageOptions): Promise<SampleStock> {
  const folder = join(defaultCacheFolder(), `sample-${process.pid}`);
  const sample = await phases.measure("sample repository", () => openSampleRepository({ folder, date: new Date() }));
  closing.defer(() => sample.close());
  const mirrors = new Map<string, SampleRepository>();
  for (const { mirror } of story) if (mirror !== undefined) mirrors.set(mirror, await sample.mirror(mirror));
  return { repository: sample, mirrors };
}

interface Stock {
  readonly hosts: Hosts;
  readonly agentLayer: string;
  readonly sample: SampleStock | undefined;
  readonly options: Options;
}

/** What the administrator of the edited host wrote into a conffile that the new version changes too. */
const EDITED = { "/etc/webapp/webapp.conf": "# webapp, as its administrator wants it\nlisten=8080\nworkers=16\n" };

function openHost(story: StoryHost, { hosts, agentLayer, sample, options }: Stock): Promise<Host> {
  const mirror = story.mirror === undefined ? undefined : sample?.mirrors.get(story.mirror);
  const sources: PackageSource[] = options.packages === "both" ? ["debian", "sample"] : [options.packages];
  return hosts.create({
    id: story.instanceId,
    name: story.name,
    sources,
    agentLayer,
    ...(mirror === undefined ? {} : { mirror }),
    ...(sample === undefined ? {} : { role: story.role === "edited" ? "plain" : story.role }),
    ...(story.role === "edited" ? { edited: EDITED } : {}),
    ...(story.role === "prepared" && sample !== undefined ? { edited: PREPARATION } : {}),
  });
}

interface Enrolment {
  readonly cloud: Cloud;
  /** Of the fleet's locks, in PEM. */
  readonly key: string;
  readonly config: FleetConfig;
}

/** Registers the host, tells its agent where the endpoints are and whose locks to trust, and takes its fingerprint. */
async function enrol(host: Host, story: StoryHost, { cloud, key, config: { tag } }: Enrolment): Promise<StagedHost> {
  const { region } = cloud.deployment.place;
  const { imdsUrl } = await cloud.addHost({
    instanceId: host.id,
    host: {
      exec: host.exec,
      reboot: () => host.sandbox.reboot(),
      identity: { instanceId: host.id, region },
      platform: PLATFORM,
    },
    tags: { [tag.key]: tag.value },
    computerName: host.name,
    ipAddress: "127.0.0.1",
    agentVersion: "3.3.1142.0",
    state: () => "online",
    lastPing: () => new Date(),
  });
  const config = [
    `AWS_REGION=${region}`,
    `AWS_ENDPOINT_URL=${cloud.url}`,
    `AWS_EC2_METADATA_SERVICE_ENDPOINT=${imdsUrl}`,
  ];
  writeInside(host.sandbox.root, HOST_PATHS.config, `${config.join("\n")}\n`, 0o600);
  writeInside(host.sandbox.root, "/etc/autopatch/fleet-lock.pem", key, 0o644);
  return { story, host, before: await host.fingerprint() };
}

/** Files that an administrator edited before the run and that are not as he left them. */
export function lostEdits({ story, before }: StagedHost, after: Fingerprint): string[] {
  if (story.role !== "edited") return [];
  return Object.keys(EDITED).filter((path) => before.files[path]?.content !== after.files[path]?.content);
}

/** Synthesises into the run's own folder, and brings the repository's cdk.out up to date with it in one rename. */
function synthesiseInto(folder: string, { repository, config }: StageOptions): Assembly {
  const assembly = readAssembly(synthesise(join(folder, "cdk.out"), config), config.stackName);
  const published = join(repository, "cdk.out");
  if (sameTemplate(published, assembly)) return assembly;
  const beside = join(repository, `cdk.out.${process.pid}`);
  cpSync(assembly.folder, beside, { recursive: true });
  rmSync(published, { recursive: true, force: true });
  try {
    renameSync(beside, published);
  } catch (error) {
    // Another run put its own there in between; the same one, or somebody should know.
    rmSync(beside, { recursive: true, force: true });
    if (!sameTemplate(published, assembly)) throw error;
  }
  return assembly;
}

function sameTemplate(published: string, { folder, templateFile }: Assembly): boolean {
  try {
    return sha256File(join(published, templateFile)) === sha256File(join(folder, templateFile));
  } catch {
    return false;
  }
}
