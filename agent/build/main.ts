import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAgent } from "./executable.ts";

const startedAt = performance.now();
const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
try {
  const built = await buildAgent({
    outdir: fileURLToPath(new URL("../../dist", import.meta.url)),
    cacheDir: join(cache, "autopatch", "agents"),
  });
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const how = [built.cached ? "from the cache" : "built", built.stripped ? "stripped" : "not stripped: no strip here"];
  process.stdout.write(`${built.path}: ${(built.bytes / 1e6).toFixed(0)} MB, ${how.join(", ")}, ${seconds} s\n`);
} catch (error) {
  process.stderr.write(`build: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
