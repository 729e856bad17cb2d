/** The agent is a Go program: what it prints and how it matches are Go's ways, and answers depend on them. */

/** A JSON value as Go's encoding/json writes it: keys sorted, no spaces, `<`, `>`, `&` and the line separators escaped. */
export function goJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = sortedEntries(value).map(([key, inner]) => `${goJson(key)}:${goJson(inner)}`);
    return `{${fields.join(",")}}`;
  }
  const text = JSON.stringify(value ?? null);
  return text.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A JSON value as Go's `%v` prints it: `[a b]`, `map[k:v]`, `<nil>`. */
export function goFormat(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goFormat).join(" ")}]`;
  if (typeof value === "object") {
    return `map[${sortedEntries(value)
      .map(([key, inner]) => `${key}:${goFormat(inner)}`)
      .join(" ")}]`;
  }
  return typeof value === "number" ? goFloat(value) : String(value);
}

/** The kind of a JSON value as Go's decoder names it in its errors. */
export function goKind(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

/** Either a pattern, or the reason why Go's regexp package refuses it. */
export type GoPattern = { readonly matches: (text: string) => boolean } | { readonly refused: string };

/**
 * A pattern with Go's meaning: found anywhere unless anchored, `$` is the end of the text, no look-around and no back-references.
 */
export function goPattern(source: string): GoPattern {
  const bare = source.replace(/\\[^1-9]/gs, "__");
  const lookAround = /\(\?(?:[=!]|<[=!])/.exec(bare);
  if (lookAround !== null) {
    return { refused: `error parsing regexp: invalid or unsupported Perl syntax: \`${lookAround[0].slice(0, 3)}\`` };
  }
  const backReference = /\\[1-9]/.exec(bare);
  if (backReference !== null) {
    return { refused: `error parsing regexp: invalid escape sequence: \`${backReference[0]}\`` };
  }
  const leading = /^\(\?([ims]+)\)/.exec(source);
  const body = source
    .slice(leading?.[0].length ?? 0)
    .replace(/\[:(\^?)(\w+):\]/g, (whole, not: string, name: string) =>
      not === "" ? (POSIX_CLASSES[name] ?? whole) : whole,
    )
    .replace(/\(\?P</g, "(?<")
    .replaceAll("\\A", "^")
    .replaceAll("\\z", "$");
  const flags = leading?.[1] ?? "";
  for (const mode of ["u", ""]) {
    try {
      const pattern = new RegExp(body, flags + mode);
      return { matches: (text) => pattern.test(text) };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return { refused: `error parsing regexp: \`${source}\`` };
}

const POSIX_CLASSES: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  digit: "0-9",
  lower: "a-z",
  upper: "A-Z",
  space: "\\t\\n\\v\\f\\r ",
  xdigit: "0-9A-Fa-f",
  word: "0-9A-Za-z_",
};

function sortedEntries(value: object): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** `%v` of a float64: shortest digits, with an exponent below 1e-4 and from 1e21. */
function goFloat(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-4 && size < 1e21)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}
