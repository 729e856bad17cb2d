import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";

const LAMBDAS = join(import.meta.dirname, "../../lambdas");

/**
 * Bundles handlers, each alone in a folder of its own as `index.mjs`, lets `use` take them over, and removes them. One call of esbuild in
 * this process makes them all: NodejsFunction would start npx and esbuild for each, which takes longer and fills the terminal.
 */
export function withBundles(names: readonly string[], use: (folderOf: (name: string) => string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-bundles-"));
  try {
    buildSync({
      entryPoints: names.map((name) => ({ in: join(LAMBDAS, "handlers", `${name}.ts`), out: join(name, "index") })),
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      // The SDK goes in: the runtime's own changes without us, and what was tested is what runs.
      platform: "node",
      target: "node24",
      format: "esm",
      mainFields: ["module", "main"],
      // Lambda hands credentials over in the environment; the SDK's chain of files, SSO and metadata services is a fifth of a bundle.
      alias: { "@aws-sdk/credential-provider-node": join(LAMBDAS, "aws/environment-credentials.ts") },
      // Names of classes go too: our errors carry theirs as text, as the SDK's do, for state machines retry and catch by them.
      minify: true,
      legalComments: "none",
      logLevel: "error",
    });
    use((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
