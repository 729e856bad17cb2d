import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAgent } from "../agent/build/executable.ts";
import { layAgent } from "../agent/build/layer.ts";
import { defaultCacheFolder, openBase } from "../local/hosts/base.ts";
import { type Hosts, openHosts } from "../local/hosts/host.ts";
import { BenchHost } from "./bench-host.ts";
import type { Skipped } from "./row.ts";

/** Programs of peers and the Debian packages that bring them. */
const PEERS = {
  "unattended-upgrade": "unattended-upgrades",
  restic: "restic",
  borg: "borgbackup",
  debsums: "debsums",
} as const;
export type Peer = keyof typeof PEERS;

/** Nobody answers there: reports stay on the host. */
const NO_CLOUD =
  "AWS_REGION=eu-west-3\nAWS_ENDPOINT_URL=http://127.0.0.1:9/\nAWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:9/\n";

/** What comparisons run on. */
export interface Stage {
  /** A host of its own: Debian's pending updates downloaded but not installed, agent and peers on it. */
  host(): Promise<BenchHost>;
  has(peer: Peer): boolean;
  readonly skipped: readonly Skipped[];
  close(): Promise<void>;
}

/**
 * Prepares one host and makes all others copies of it, so that every comparison starts from the same packages, lists and downloads.
 * @throws HostsFailure, SandboxFailure when there can be no sandbox hosts here
 */
export async function openStage(say: (phase: string) => void): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-ratios-"));
  try {
    const base = await openBase({ variant: "fleet", onProgress: say });
    const hosts = await openHosts({ base, count: 4 });
    return await stageOf(hosts, folder, say);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** A host whose sshd is down is asked for it twice, with a pause: no host of anybody's. */
async function startSshd(host: BenchHost): Promise<void> {
  await host.run("mkdir", ["-p", "/run/sshd"]);
  await host.run("/usr/sbin/sshd", []);
}

async function stageOf(hosts: Hosts, folder: string, say: (phase: string) => void): Promise<Stage> {
  let number = 0;
  const create = async (agentLayer?: string) => {
    const id = `i-${String(++number).padStart(17, "0")}`;
    const layer = agentLayer === undefined ? {} : { agentLayer };
    return new BenchHost(await hosts.create({ id, name: `bench-${number}`, sources: ["debian"], ...layer }));
  };
  const close = async () => {
    await hosts.closeAll();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    say("building the agent");
    const built = await buildAgent({ outdir: folder, cacheDir: join(defaultCacheFolder(), "agents") });
    say("preparing a host with its pending updates and the peers");
    const first = await create();
    const skipped = await furnish(first);
    const { sandbox } = first.host;
    await sandbox.close({ keep: true });
    layAgent(sandbox.upper, { executable: built.path, config: NO_CLOUD });
    return {
      host: async () => {
        const host = await create(sandbox.upper);
        await startSshd(host);
        return host;
      },
      has: (peer) => !skipped.some((one) => one.peer === peer),
      skipped,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function furnish(host: BenchHost): Promise<Skipped[]> {
  await host.run("apt-get", ["-q", "update"]);
  // A server has it, and of all updates its is the slowest; the fleet's hosts do without, so that tests need not wait for it.
  await host.run("apt-get", ["-q", "-y", "--no-install-recommends", "install", "ca-certificates/bookworm"]);
  const skipped: Skipped[] = [];
  for (const [peer, name] of Object.entries(PEERS)) {
    try {
      await host.run("apt-get", ["-q", "-y", "--no-install-recommends", "install", name]);
    } catch (error) {
      skipped.push({ peer, why: (error as Error).message.replaceAll(/\s+/g, " ") });
    }
  }
  await host.run("apt-get", ["-q", "-y", "--download-only", "dist-upgrade"]);
  return skipped;
}
