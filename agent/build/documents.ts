import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { PROGRAM_LINKS } from "../../contract/names.ts";
import { PROGRAMS } from "../programs/choose.ts";
import { declarations } from "../programs/load.ts";
import { file } from "./agent-tree.ts";
import { bashCompletion } from "./completion.ts";
import { manualPages } from "./manual.ts";
import { ARCHITECTURES, NODE_PINS } from "./node-pins.ts";
import { fromTemplate } from "./template.ts";
import type { TreeEntry } from "./tree.ts";

const COMPLETIONS = "/usr/share/bash-completion/completions";
const DOC = "/usr/share/doc/autopatch";

/** Manual pages, completion, copyright and changelog, made from what the programs and the configuration say of themselves. */
export async function documentTree(version: string, date: string): Promise<TreeEntry[]> {
  const all = await declarations();
  const programs = new Map(PROGRAMS.flatMap((name, i) => (all[i] === undefined ? [] : [[name, all[i]] as const])));
  return [
    ...manualPages(all, version, date).map((page) =>
      file(`/usr/share/man/man${page.name.slice(-1)}/${page.name}.gz`, gzip(page.text)),
    ),
    file(`${COMPLETIONS}/autopatch`, bashCompletion(programs)),
    ...Object.keys(PROGRAM_LINKS).map(
      (name): TreeEntry => ({ path: `${COMPLETIONS}/${name}`, kind: "link", target: "autopatch" }),
    ),
    file(`${DOC}/copyright`, fromTemplate("copyright") + nodeLicense()),
    file(`${DOC}/changelog.gz`, gzip(fromTemplate("changelog"))),
    file("/usr/share/lintian/overrides/autopatch", fromTemplate("lintian-overrides")),
  ];
}

/** Node carries no time in what it compresses: the same text gives the same bytes. */
function gzip(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

/** It is the same for every architecture; npm has installed that of this one. */
function nodeLicense(): string {
  const here = ARCHITECTURES.find((arch) => arch === process.arch);
  if (here === undefined) throw new Error(`there is no Node of ours for ${process.arch}`);
  const manifest = createRequire(import.meta.url).resolve(`${NODE_PINS[here].package}/package.json`);
  return readFileSync(join(manifest, "../LICENSE"), "utf8");
}
