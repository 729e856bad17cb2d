import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildDeb } from "../agent/build/deb.ts";
import { buildAgent } from "../agent/build/executable.ts";
import { ARCHITECTURES, DEBIAN_ARCHITECTURE } from "../agent/build/node-pins.ts";
import { defaultCacheFolder } from "../local/hosts/base.ts";
import type { Row } from "./row.ts";

/** What a host stores and what it fetches: the executable and the package of each architecture. */
export async function measureSize(): Promise<Row[]> {
  const outdir = mkdtempSync(join(tmpdir(), "autopatch-size-"));
  const cacheDir = join(defaultCacheFolder(), "agents");
  const row = (what: string, bytes: number): Row => ({ what, unit: "MB", ours: bytes / 1e6, peer: null, aim: null });
  try {
    const rows: Row[] = [];
    for (const arch of ARCHITECTURES) {
      const agent = await buildAgent({ arch, outdir, cacheDir });
      const deb = await buildDeb({ executable: agent.path, arch, outdir, cacheDir });
      rows.push(row(`size: executable, ${arch}`, agent.bytes));
      rows.push(row(`size: package, ${DEBIAN_ARCHITECTURE[arch]}`, deb.bytes));
    }
    return rows;
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}
