import { EXIT, EXIT_MEANINGS, type ExitName } from "../../contract/failures.ts";

/** A flag of a program or verb: how it is read, and what --help, man page and completion say of it. */
export interface Flag {
  readonly type: "boolean" | "string";
  /** A phrase that goes on from the flag's name, without a full stop. */
  readonly meaning: string;
  /** What stands for its value in texts: N, BACKUP. Needed for strings without `oneOf`. */
  readonly value?: string;
  /** All values there are; others are refused with the nearest. */
  readonly oneOf?: readonly string[];
}

/** What can be called: a program, or one verb of it. */
export interface Call {
  /** Sentences: what it does. */
  readonly about: string;
  /** Each way to call it, without its name. @default every flag, each optional */
  readonly usage?: readonly string[];
  readonly flags: Readonly<Record<string, Flag>>;
}

/** Everything texts say of a program, once: its --help, its man page and its completion are made from it. */
export interface Declaration extends Call {
  /** As people call it: `install.sh`. */
  readonly name: string;
  /** What it is for in a few words, without a full stop. */
  readonly summary: string;
  /** Words that must come first, each with flags of its own. */
  readonly verbs?: Readonly<Record<string, Call>>;
  /** Exit codes beside those that every program has. */
  readonly exits: readonly ExitName[];
  /** Files it reads or writes, with what they are. */
  readonly files?: readonly (readonly [path: string, meaning: string])[];
}

const COMMON_EXITS: readonly ExitName[] = ["ok", "internal", "usage", "configuration", "environment", "interrupted"];
const WIDTH = 80;

/** The program's exit codes with their meaning, in order. */
export function exitsOf(declaration: Pick<Declaration, "exits">): [code: number, meaning: string][] {
  const names = [...new Set([...COMMON_EXITS, ...declaration.exits])];
  return names.map((name): [number, string] => [EXIT[name], EXIT_MEANINGS[name]]).sort((a, b) => a[0] - b[0]);
}

/** `--format=json|text`, `--deadline-seconds N`, `--force`. */
export function flagSyntax(name: string, flag: Flag): string {
  if (flag.type === "boolean") return `--${name}`;
  return flag.oneOf === undefined ? `--${name} ${flag.value}` : `--${name}=${flag.oneOf.join("|")}`;
}

/** Each way to call it, without its name. */
export function usageOf(call: Call): readonly string[] {
  return (
    call.usage ?? [
      Object.entries(call.flags)
        .map(([name, flag]) => `[${flagSyntax(name, flag)}]`)
        .join(" "),
    ]
  );
}

/**
 * The text of --help, 80 columns wide.
 * @param verb tells of this verb alone; all of them when there is no such verb
 */
export function helpText(declaration: Declaration, verb?: string): string {
  const verbs = declaration.verbs ?? {};
  const only = verb !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  const calls: [string, Call][] =
    only === undefined
      ? [[declaration.name, declaration], ...Object.entries(verbs).map(([n, c]) => verbCall(declaration, n, c))]
      : [verbCall(declaration, verb ?? "", only)];
  const usable = calls.filter(([, call]) => call !== declaration || declaration.verbs === undefined);
  const paragraphs = [
    usable.flatMap(([name, call], i) => usageLines(i === 0 ? "Usage: " : "       ", name, usageOf(call))).join("\n"),
    ...calls.flatMap(([name, call]) => {
      const head = call === declaration || only !== undefined ? [] : [`${name}:`];
      const about = fill(call.about, head.length === 0 ? "" : "  ");
      return [[...head, about].join("\n"), ...flagLines(call.flags)];
    }),
    ...(declaration.files === undefined ? [] : [["Files:", ...declaration.files.map(fileLine)].join("\n")]),
    ["Exit codes:", ...exitsOf(declaration).map(([code, meaning]) => `  ${String(code).padEnd(5)}${meaning}`)].join(
      "\n",
    ),
  ];
  return `${paragraphs.join("\n\n")}\n`;
}

function verbCall(declaration: Declaration, verb: string, call: Call): [string, Call] {
  return [`${declaration.name} ${verb}`, call];
}

function usageLines(lead: string, name: string, usages: readonly string[]): string[] {
  return usages.map((usage, i) => {
    const start = `${i === 0 ? lead : " ".repeat(lead.length)}${name} `;
    const parts = usage.match(/\[[^\]]*\]|\S+/g) ?? [];
    return wrap(parts, start, " ".repeat(Math.min(start.length, 30))).trimEnd();
  });
}

function flagLines(flags: Call["flags"]): string[] {
  const rows = Object.entries(flags).map(([name, flag]) => [flagSyntax(name, flag), flag.meaning] as const);
  if (rows.length === 0) return [];
  const indent = " ".repeat(Math.min(Math.max(...rows.map(([syntax]) => syntax.length)) + 4, 26));
  return [
    rows
      .map(([syntax, meaning]) =>
        syntax.length + 4 > indent.length
          ? `  ${syntax}\n${fill(meaning, indent)}`
          : fill(meaning, `  ${syntax}`.padEnd(indent.length), indent),
      )
      .join("\n"),
  ];
}

function fileLine([path, meaning]: readonly [string, string]): string {
  return `  ${path}\n${fill(meaning, "      ")}`;
}

function fill(text: string, start: string, indent = start): string {
  return wrap(text.split(/\s+/), start, indent);
}

/** Words in lines; a word that is too long for any stands alone on its own. */
function wrap(words: readonly string[], start: string, indent: string): string {
  const lines: string[] = [];
  let line = start;
  let empty = true;
  for (const word of words) {
    const longer = `${line}${empty ? "" : " "}${word}`;
    if (!empty && longer.length > WIDTH) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = longer;
    empty = false;
  }
  return [...lines, line].join("\n");
}
