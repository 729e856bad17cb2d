import { parseArgs } from "node:util";
import { asFailure, EXIT, FAILURES } from "../../contract/failures.ts";
import { editDistance } from "../../contract/nearest.ts";
import type { Declaration, Flag } from "./declaration.ts";

/** What each file of this folder exports: one of the seed's programs. */
export interface Program {
  readonly declaration: Declaration;
  /**
   * @param args what follows the program's name
   * @returns the exit code, one of EXIT
   * @throws Usage for arguments it does not know; Failure for what went wrong
   */
  run(args: readonly string[]): Promise<number>;
}

/** The caller asked for something that does not exist; exit 2. */
export class Usage extends Error {
  override readonly name = "Usage";
}

/** Flags by name; `boolean` takes no value. */
export type FlagTable = Readonly<Record<string, Pick<Flag, "type" | "oneOf">>>;

export type Flags<T extends FlagTable> = {
  readonly [K in keyof T]?: T[K]["type"] extends "boolean" ? boolean : string;
};

/**
 * Reads arguments strictly.
 * @param positionals how many words without a dash are allowed
 * @throws Usage naming the unknown flag or value and the nearest known one
 */
export function readFlags<const T extends FlagTable>(
  program: string,
  table: T,
  args: readonly string[],
  positionals = 0,
): { flags: Flags<T>; words: string[] } {
  const known = Object.keys(table);
  for (const arg of args) {
    if (arg === "--") break;
    const name = /^--([^=]+)/.exec(arg)?.[1] ?? /^-([A-Za-z].*)$/.exec(arg)?.[1];
    if (name !== undefined && !(arg.startsWith("--") && known.includes(name))) {
      throw new Usage(`${program}: unknown option ${arg}${suggestion(name, known, "--")}`);
    }
  }
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options: table, strict: true, allowPositionals: true });
  } catch (error) {
    throw new Usage(`${program}: ${(error as Error).message}`);
  }
  const extra = parsed.positionals[positionals];
  if (extra !== undefined) throw new Usage(`${program}: ${JSON.stringify(extra)} is not expected here; see --help`);
  for (const [name, { oneOf }] of Object.entries(table)) {
    const value = parsed.values[name];
    if (oneOf !== undefined && typeof value === "string" && !oneOf.includes(value))
      throw new Usage(`${program}: unknown ${name} ${value}${suggestion(value, oneOf)}`);
  }
  // parseArgs checked each value against the same table.
  return { flags: parsed.values as Flags<T>, words: parsed.positionals };
}

/** `. Did you mean …?` when a known word is near, else the list of known ones. */
export function suggestion(word: string, known: readonly string[], prefix = ""): string {
  const ranked = known.map((k) => ({ k, d: editDistance(word, k) })).sort((a, b) => a.d - b.d);
  const nearest = ranked[0];
  if (nearest !== undefined && nearest.d <= Math.max(2, Math.floor(nearest.k.length / 2))) {
    return `. Did you mean ${prefix}${nearest.k}?`;
  }
  return `. Known: ${known.map((k) => prefix + k).join(", ")}`;
}

/** What a program that ended with an error prints on stderr, and its exit code. */
export function describeError(error: unknown): { text: string; exit: number } {
  if (error instanceof Usage) return { text: error.message, exit: EXIT.usage };
  const failure = asFailure(error);
  const { exit, meaning, wayOut } = FAILURES[failure.code];
  return { text: `autopatch: ${meaning}: ${failure.message}\n  ${wayOut} (${failure.code})`, exit: EXIT[exit] };
}
