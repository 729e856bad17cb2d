import { median, type Row } from "./row.ts";
import type { Stage } from "./stage.ts";

const RUNS = 7;

/** Start-up of what is called every few minutes. */
const LIGHT_MS = 60;

/** How long the executable takes to say anything at all, by itself and by its launcher, and to load its largest program. */
export async function compareStart(stage: Stage): Promise<Row[]> {
  const host = await stage.host();
  const measure = async (file: string, args: readonly string[]) => {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) times.push(await host.time(file, args));
    return median(times);
  };
  const rows: Row[] = [
    {
      what: "start: autopatch --version",
      unit: "ms",
      ours: await measure("/usr/lib/autopatch/autopatch", ["--version"]),
      peer: null,
      aim: { of: "ours", at: "most", value: LIGHT_MS },
    },
    {
      what: "start: autopatch-manager.sh --version, by its launcher",
      unit: "ms",
      ours: await measure("autopatch-manager.sh", ["--version"]),
      peer: null,
      aim: { of: "ours", at: "most", value: LIGHT_MS },
    },
  ];
  const ours = await measure("install.sh", ["--help"]);
  const what = "start: install.sh --help";
  if (!stage.has("unattended-upgrade")) return [...rows, { what, unit: "ms", ours, peer: null, aim: null }];
  const peer = { name: "unattended-upgrade --help", value: await measure("unattended-upgrade", ["--help"]) };
  return [...rows, { what, unit: "ms", ours, peer, aim: null }];
}
