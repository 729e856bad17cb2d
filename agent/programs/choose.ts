import { basename } from "node:path";
import { PROGRAM_LINKS } from "../../contract/names.ts";
import { suggestion, Usage } from "./program.ts";

export const PROGRAMS = [
  "step",
  "manager",
  "download",
  "install",
  "rollback",
  "maintenance",
  "exporter",
  "daemon",
  "watchdog",
  "recover",
  "clone",
] as const;
export type ProgramName = (typeof PROGRAMS)[number];

/** What a call asks for. */
export type Choice =
  | { readonly kind: "program"; readonly name: ProgramName; readonly args: readonly string[] }
  | { readonly kind: "version" }
  | { readonly kind: "help" };

/**
 * Which program a call means: the one of the link it was called by, else its first argument. Pure.
 * @param calledAs argv[0] as the caller gave it
 * @throws Usage naming the nearest program
 */
export function chooseProgram(calledAs: string, args: readonly string[]): Choice {
  const link = basename(calledAs);
  if (args.includes("--version")) return { kind: "version" };
  if (isLink(link)) return { kind: "program", name: PROGRAM_LINKS[link], args };
  const [first, ...rest] = args;
  if (first === undefined || first === "--help" || first === "-h" || first === "help") return { kind: "help" };
  const name = isLink(first) ? PROGRAM_LINKS[first] : PROGRAMS.find((program) => program === first);
  if (name !== undefined) return { kind: "program", name, args: rest };
  throw new Usage(`autopatch: unknown program ${first}${suggestion(first, PROGRAMS)}`);
}

function isLink(name: string): name is keyof typeof PROGRAM_LINKS {
  return Object.hasOwn(PROGRAM_LINKS, name);
}
