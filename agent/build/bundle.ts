import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import * as z from "zod";
import { unitFiles } from "./unit-files.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The agent and all it imports as one CommonJS text, which is what a Node executable starts from. */
export async function bundleAgent(): Promise<string> {
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")));
  const units = Object.fromEntries(unitFiles().map(({ name, text }) => [name, text]));
  const result = await build({
    entryPoints: [`${ROOT}agent/main.ts`],
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    minify: true,
    keepNames: true,
    legalComments: "none",
    define: { AUTOPATCH_VERSION: JSON.stringify(version), AUTOPATCH_UNITS: JSON.stringify(units) },
    write: false,
    logLevel: "silent",
    absWorkingDir: ROOT,
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error("esbuild wrote nothing");
  return file.text;
}
