import { block } from "./text.ts";

const TEXT = block("JENKINSFILE AUTOPATCH");

/**
 * The shell steps of a stage, or of a condition of `post`, as Groovy hands them to the shell: escapes undone, and in the double-quoted
 * ones the values put in.
 * @param values what `${name}` and `$NAME` stand for
 * @throws Error for a name without value
 */
export function shellSteps(section: string, values: Readonly<Record<string, string>>): string[] {
  const steps = sectionOf(section).matchAll(
    /\bsh ("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/g,
  );
  return [...steps].map(([, literal = ""]) => textOf(literal, values));
}

function sectionOf(name: string): string {
  const [head, end] = /^[a-z]/.test(name)
    ? [`        ${name} {\n`, /\n {8}\}\n/]
    : [`        stage('${name}') {\n`, /\n {8}\}\n/];
  const at = TEXT.indexOf(head);
  if (at === -1) throw new Error(`the Jenkinsfile has no section ${name}`);
  return TEXT.slice(at).split(end)[0] ?? "";
}

function textOf(literal: string, values: Readonly<Record<string, string>>): string {
  const isDouble = literal.startsWith('"');
  const quotes = /^("""|''')/.test(literal) ? 3 : 1;
  return literal
    .slice(quotes, -quotes)
    .replace(
      /\\(\n|[\s\S])|\$\{([\w.]+)\}|\$([A-Za-z_]\w*)/g,
      (found, escaped?: string, braced?: string, bare?: string) => {
        if (escaped !== undefined) return escaped === "\n" ? "" : escaped === "n" ? "\n" : escaped;
        if (!isDouble) return found;
        const name = braced ?? bare ?? "";
        const value = values[name];
        if (value === undefined) throw new Error(`the Jenkinsfile wants ${name}, which this test does not give`);
        return value;
      },
    );
}
