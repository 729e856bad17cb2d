import { join } from "node:path";
import { type BuiltDeb, buildDeb } from "../../agent/build/deb.ts";
import { buildAgent } from "../../agent/build/executable.ts";
import { buildBundle } from "../../agent/build/user-data-bundle.ts";
import { defaultCacheFolder } from "../../local/hosts/base.ts";

/** The package as it is shipped, but for how hard it is packed; taken from the cache when nothing in it has changed. */
export async function builtDeb(folder: string): Promise<BuiltDeb> {
  const cacheDir = join(defaultCacheFolder(), "agents");
  const { path: executable } = await buildAgent({ outdir: folder, cacheDir });
  return await buildDeb({ executable, arch: "x64", outdir: folder, cacheDir, level: 0 });
}

/** Path of the autopatch-bundle.tar.gz that carries it. */
export async function builtBundle(folder: string): Promise<string> {
  return (await buildBundle({ debs: [await builtDeb(folder)], outdir: folder })).path;
}
