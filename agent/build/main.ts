import { homedir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuiltDeb, buildDeb } from "./deb.ts";
import { type BuiltAgent, buildAgent } from "./executable.ts";
import type { Architecture } from "./node-pins.ts";
import { BUILD_HELP, type BuildCommand, parseBuildOptions } from "./options.ts";
import { buildBundle } from "./user-data-bundle.ts";

const outdir = fileURLToPath(new URL("../../dist", import.meta.url));
const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "autopatch", "agents");

async function build({ nodes, architectures }: BuildCommand): Promise<void> {
  const agents: BuiltAgent[] = [];
  for (const arch of architectures) {
    const agent = await timed(() => buildAgent({ arch, nodes, outdir, cacheDir }), describeAgent);
    agents.push(agent);
  }
  // xz takes a minute of one core for each: side by side.
  const debs = await Promise.all(agents.map(({ path, arch }) => timed(() => buildOne(path, arch), describeDeb)));
  await timed(
    () => buildBundle({ debs, outdir }),
    () => "",
  );
}

function buildOne(executable: string, arch: Architecture): Promise<BuiltDeb> {
  return buildDeb({ executable, arch, outdir, cacheDir });
}

/** Does a part of the build and tells what came of it. */
async function timed<T extends { path: string; bytes: number }>(
  work: () => Promise<T>,
  describe: (made: T) => string,
): Promise<T> {
  const from = performance.now();
  const made = await work();
  const parts = [
    `${(made.bytes / 1e6).toFixed(1)} MB`,
    describe(made),
    `${((performance.now() - from) / 1e3).toFixed(1)} s`,
  ];
  process.stdout.write(`${relative(process.cwd(), made.path)}: ${parts.filter((part) => part !== "").join(", ")}\n`);
  return made;
}

function describeAgent({ cached, stripped, arch, node }: BuiltAgent): string {
  const strip = stripped ? "stripped" : `not stripped: there is no strip for ${arch} here`;
  const own = node.pinned ? [] : [`with your Node, SHA-256 ${node.sha256}`];
  return [cached ? "from the cache" : "built", strip, ...own].join(", ");
}

function describeDeb({ cached }: BuiltDeb): string {
  return cached ? "from the cache" : "built";
}

try {
  const command = parseBuildOptions(process.argv.slice(2));
  if (command === null) process.stdout.write(BUILD_HELP);
  else await build(command);
} catch (error) {
  process.stderr.write(`build: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
