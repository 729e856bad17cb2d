import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../package/", import.meta.url));

/**
 * A file of agent/package with each @NAME@ filled in.
 * @throws Error for a name that has no value, or a value that no name asks for
 */
export function fromTemplate(file: string, values: Readonly<Record<string, string | number>> = {}): string {
  const unused = new Set(Object.keys(values));
  const text = readFileSync(FOLDER + file, "utf8").replace(/@([A-Z_0-9]+)@/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`agent/package/${file}: nothing is known for ${whole}`);
    unused.delete(name);
    return String(value);
  });
  if (unused.size > 0) throw new Error(`agent/package/${file}: has no place for ${[...unused].join(", ")}`);
  return text;
}
