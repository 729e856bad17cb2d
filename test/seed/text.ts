import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The seed as it came, byte for byte. */
export const SEED = readFileSync(join(import.meta.dirname, "../fixtures/seed-autopatch-workflows.md"), "utf8");

/** A program, file or document of the seed: what stands between two `=== … ===`, or a whole code fence by the heading above it. */
export interface Block {
  /** `JENKINSFILE AUTOPATCH`, or the heading's words. */
  readonly name: string;
  readonly text: string;
}

/** All of them in the order of the text. Pure. */
export function blocksOf(text: string): Block[] {
  const blocks: { name: string; lines: string[] }[] = [];
  let [heading, fenced] = ["", false];
  for (const line of text.split("\n")) {
    const title = /^#{2,} (.*)$/.exec(line)?.[1] ?? null;
    const part = /^=== (.*) ===$/.exec(line)?.[1] ?? null;
    if (line.startsWith("```")) {
      fenced = !fenced;
      if (fenced) blocks.push({ name: heading, lines: [] });
    } else if (!fenced && title !== null) heading = title.replaceAll("*", "");
    else if (fenced && part !== null) blocks.push({ name: part, lines: [] });
    else if (fenced) blocks.at(-1)?.lines.push(line);
  }
  return blocks
    .map(({ name, lines }) => ({ name, text: `${lines.join("\n")}\n` }))
    .filter(({ text: inner }) => inner.trim() !== "");
}

/** The text of one block. @throws Error when the seed has none of that name */
export function block(name: string): string {
  const found = blocksOf(SEED).filter((one) => one.name === name);
  if (found.length === 1 && found[0] !== undefined) return found[0].text;
  throw new Error(`the seed has ${found.length} blocks named ${name}`);
}

/** The line of a block that a pattern finds, trimmed. @throws Error unless it is exactly one */
export function line(name: string, pattern: RegExp): string {
  const found = block(name)
    .split("\n")
    .filter((one) => pattern.test(one));
  if (found.length === 1 && found[0] !== undefined) return found[0].trim();
  throw new Error(`${name} has ${found.length} lines like ${pattern}`);
}

/** A line that calls one of AutoPatch's programs, or uses what AutoPatch keeps on a host. */
const USES =
  /(\/usr\/local\/bin|\$\{AUTOPATCH_HOME\}|\{\{ autopatch_home \}\})\/[\w{][^\s']*|\bautopatch-\*\.sh|autopatch-bundle|\/var\/(tmp|log)\/autopatch|\/etc\/(autopatch|logrotate\.d\/autopatch)/;

/** Every such line, trimmed, once for each block it stands in. Pure. */
export function usesIn(text: string): { readonly block: string; readonly line: string }[] {
  const found = blocksOf(text).flatMap(({ name, text: inner }) => {
    const lines = inner.split("\n").map((one) => one.trim());
    // Of a container's command, its arguments stand on the next line.
    const uses = lines.filter((one, i) => USES.test(one) || (/^args:/.test(one) && USES.test(lines[i - 1] ?? "")));
    return [...new Set(uses)].map((one) => ({ block: name, line: one }));
  });
  return found;
}
