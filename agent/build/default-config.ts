import { CONFIG_KEYS } from "../host/config.ts";

const HEAD = `# AutoPatch on this host; see autopatch.conf(5). Every key is optional; what stands here is its default,
# or an example where there is none. This file must belong to root and be writable by root alone.
`;

export interface ConfigKey {
  readonly name: string;
  readonly description: string;
  /** As it is written in the file: its default, or an example of one that has none. */
  readonly written: string;
  readonly hasDefault: boolean;
}

/** The keys of autopatch.conf, as the shipped file and the manual page tell of them. */
export function configKeys(): ConfigKey[] {
  return Object.entries(CONFIG_KEYS).map(([name, schema]) => {
    const { description, example } = schema.meta() ?? {};
    if (description === undefined) throw new Error(`agent/host/config.ts: ${name} has no description`);
    const byDefault: unknown = schema.parse(undefined);
    const hasDefault = byDefault !== undefined;
    return { name, description, hasDefault, written: write(hasDefault ? byDefault : example) };
  });
}

/** autopatch.conf as it is shipped: every key with its default, all commented out. */
export function defaultConfig(): string {
  const entries = configKeys().map(({ name, description, written }) => `\n# ${description}\n#${name}=${written}\n`);
  return HEAD + entries.join("");
}

function write(value: unknown): string {
  return Array.isArray(value) ? JSON.stringify(value.join(" ")) : String(value);
}
