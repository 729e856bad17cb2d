import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildAgent } from "../../agent/build/executable.ts";
import { layAgent } from "../../agent/build/layer.ts";
import { defaultCacheFolder, openBase } from "../../local/hosts/base.ts";
import { type BootedHost, openBootedHost } from "../../local/hosts/booted-host.ts";
import { forgetRunFolder, openRunFolder } from "../../local/hosts/run-folder.ts";
import { type AnyAgentHost, agentHost, NO_CLOUD } from "./bench.ts";

/** Hosts with the built agent that boot a systemd of their own; slower than those of bench.ts. No network, no repository. */
export interface BootedBench {
  host(): Promise<BootedAgentHost>;
  close(): Promise<void>;
}

export interface BootedAgentHost extends AnyAgentHost {
  readonly booted: BootedHost;
}

export async function openBootedBench(): Promise<BootedBench> {
  const base = await openBase({ variant: "booted" });
  const folder = mkdtempSync(join(tmpdir(), "autopatch-booted-"));
  const uid = process.getuid?.() ?? 0;
  const run = openRunFolder([`/dev/shm/autopatch-${uid}`, join(defaultCacheFolder(), "runs")], 2);
  const agent = await buildAgent({ outdir: join(folder, "dist"), cacheDir: join(defaultCacheFolder(), "agents") });
  const layer = join(folder, "layer");
  layAgent(layer, { executable: agent.path, config: NO_CLOUD });
  const hosts: BootedHost[] = [];
  return {
    host: async () => {
      const number = hosts.length + 1;
      const workspace = join(run.path, String(number));
      const booted = await openBootedHost({ base, name: `booted-${number}`, workspace, layers: [layer] });
      hosts.push(booted);
      const id = `i-${String(number).padStart(17, "b")}`;
      return Object.assign(agentHost({ id, seen: booted, close: () => booted.close() }), { booted });
    },
    close: async () => {
      for (const host of hosts) await host.close();
      for (const path of [folder, run.path]) rmSync(path, { recursive: true, force: true });
      forgetRunFolder(run);
    },
  };
}
