import { createHash } from "node:crypto";
import type jsonata from "jsonata";
import type { Clock, Randomness } from "./ports.ts";

const HASHES: Readonly<Record<string, string>> = {
  MD5: "md5",
  "SHA-1": "sha1",
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512",
};

/**
 * The functions Step Functions adds to JSONata ($partition, $range, $hash, $random, $uuid, $parse), `$eval` taken away as
 * it is there, and $now/$millis on the interpreter's clock. Source: AWS, "Transforming data with JSONata".
 */
export function stepFunctionsLibrary(clock: Clock, random: Randomness): Record<string, unknown> {
  const millis = clock.now().getTime();
  return {
    eval: undefined,
    millis: () => millis,
    now: (picture?: string, zone?: string) => formatMillis(millis, picture, zone),
    partition: (items: unknown, size: unknown) => partition(items, size),
    range: (first: unknown, last: unknown, step: unknown) => range(first, last, step),
    hash: (text: unknown, algorithm: unknown) => hash(text, algorithm),
    random: (seed?: number) => (seed === undefined ? random.fraction() : seeded(seed)),
    uuid: () => random.uuid(),
    parse: (text: unknown) => parse(text),
  };
}

let formatter: jsonata.Expression | undefined;

async function formatMillis(millis: number, picture: string | undefined, zone: string | undefined): Promise<unknown> {
  const { default: compile } = await import("jsonata");
  formatter ??= compile("$fromMillis(m, p, z)");
  return formatter.evaluate({ m: millis, p: picture, z: zone });
}

function refuse(name: string, what: string): never {
  throw { code: "D3137", message: `Argument of function "${name}" ${what}` };
}

function partition(items: unknown, size: unknown): unknown {
  if (items === undefined) return undefined;
  if (!Number.isInteger(size) || (size as number) < 1) return refuse("partition", "must be a whole number above 0");
  const list = Array.isArray(items) ? items : [items];
  const chunks: unknown[][] = [];
  for (let at = 0; at < list.length; at += size as number) chunks.push(list.slice(at, at + (size as number)));
  return chunks;
}

function range(first: unknown, last: unknown, step: unknown): number[] {
  if (![first, last, step].every((value) => typeof value === "number" && Number.isFinite(value)) || step === 0) {
    return refuse("range", "must be three numbers, the step not 0");
  }
  const [from, to, by] = [first as number, last as number, step as number];
  const count = Math.max(0, Math.floor((to - from) / by) + 1);
  if (count > 1000) return refuse("range", "asks for more than 1000 values");
  return Array.from({ length: count }, (_, index) => from + index * by);
}

function hash(text: unknown, algorithm: unknown): string {
  const known = HASHES[String(algorithm)];
  if (typeof text !== "string" || known === undefined) {
    return refuse("hash", `must be a string and one of ${Object.keys(HASHES).join(", ")}`);
  }
  return createHash(known).update(text, "utf8").digest("hex");
}

function parse(text: unknown): unknown {
  if (text === undefined) return undefined;
  if (typeof text !== "string") return refuse("parse", "must be a string");
  try {
    return JSON.parse(text);
  } catch (error) {
    return refuse("parse", `is not JSON: ${(error as Error).message}`);
  }
}

/** The same seed gives the same number, as AWS promises; which number it gives is AWS's own affair. */
function seeded(seed: number): number {
  return createHash("sha256").update(String(seed)).digest().readUInt32BE(0) / 2 ** 32;
}
