import { median, type Row } from "./row.ts";
import type { Stage } from "./stage.ts";

const RUNS = 3;

/** Every packaged file against its checksum, configuration files included: ours, which also looks at what changed since, and the peers. */
export async function compareVerify(stage: Stage): Promise<Row[]> {
  const host = await stage.host();
  const measure = async (file: string, args: readonly string[]) => {
    // Once before it is measured, so that all read from memory.
    await host.run(file, args);
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) times.push(await host.time(file, args));
    return median(times);
  };
  const ours = await measure("rollback.sh", ["--verify-system"]);
  const row = (name: string, value: number): Row => ({
    what: "packaged files against their checksums",
    unit: "ms",
    ours,
    peer: { name, value },
    aim: { of: "ratio", at: "most", value: 1 },
  });
  const rows = [row("dpkg --verify", await measure("dpkg", ["--verify"]))];
  return stage.has("debsums") ? [...rows, row("debsums -s", await measure("debsums", ["-s"]))] : rows;
}
