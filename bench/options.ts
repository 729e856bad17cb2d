import { parseArgs } from "node:util";
import { nearest } from "../contract/nearest.ts";

export interface BenchOptions<Name extends string> {
  /** In the order they are run. */
  readonly names: readonly Name[];
  /** File for the rows as JSON. */
  readonly json: string | null;
}

/** Something typed wrong: the message names it and the way out. */
export class BenchUsage extends Error {
  override readonly name = "BenchUsage";
}

/**
 * Reads the command line: names of comparisons, all when none is given.
 * @throws BenchUsage
 */
export function parseBenchOptions<Name extends string>(
  args: readonly string[],
  known: readonly Name[],
): BenchOptions<Name> {
  const { values, positionals } = parse(args);
  for (const word of positionals) {
    if (!known.some((name) => name === word))
      throw new BenchUsage(`${word}: no such comparison; ${nearest(word, known)}`);
  }
  const names = known.filter((name) => positionals.length === 0 || positionals.includes(name));
  return { names, json: values.json ?? null };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: { json: { type: "string" } }, allowPositionals: true });
  } catch (error) {
    throw new BenchUsage(`${(error as Error).message}; npm run bench -- [NAME…] [--json FILE]`);
  }
}
