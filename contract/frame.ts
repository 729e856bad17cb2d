import { createHash } from "node:crypto";
import * as z from "zod";
import { StepResult } from "./envelope.ts";

/** Longest framed line in bytes: ListCommandInvocations gives 2,500 characters per plugin. */
export const FRAME_LIMIT = 2_400;
const PREFIX = "AUTOPATCH-RESULT/1";
const LINE = /^AUTOPATCH-RESULT\/1 ([0-9]+) ([0-9a-f]{16}) (.*)$/;

export type Decoded =
  | { readonly ok: true; readonly result: StepResult }
  /** `why` says what is wrong with the line; it becomes the message of `resultUnreadable`. */
  | { readonly ok: false; readonly why: string };

/**
 * The result as one line of ASCII: `AUTOPATCH-RESULT/1 <bytes> <16 hex of SHA-256> <JSON>`. Texts that would make it too
 * long are shortened with `…`; the full report keeps them whole.
 */
export function encodeResult(result: StepResult): string {
  for (const limit of [Number.POSITIVE_INFINITY, 600, 300, 120, 40]) {
    const json = ascii(JSON.stringify(shorten(result, limit)));
    const line = `${PREFIX} ${json.length} ${checksum(json)} ${json}`;
    if (line.length <= FRAME_LIMIT) return line;
  }
  throw new RangeError(
    `the result of ${result.step} is longer than ${FRAME_LIMIT} bytes even with its texts shortened`,
  );
}

/**
 * Reads the framed line from a step's standard output. Only the last non-empty line counts; a line that is missing, cut,
 * changed or of another shape is never guessed at.
 */
export function decodeResult(stdout: string): Decoded {
  const last = stdout.trimEnd().split("\n").at(-1) ?? "";
  const match = LINE.exec(last);
  if (match === null)
    return { ok: false, why: last === "" ? "the step printed nothing" : `the last line is no result: ${quote(last)}` };
  const [, length, sum, json] = match as unknown as [string, string, string, string];
  if (json.length !== Number(length))
    return { ok: false, why: `the result line is cut: ${json.length} of ${length} bytes` };
  if (checksum(json) !== sum) return { ok: false, why: "the result line does not match its checksum" };
  const parsed = StepResult.safeParse(parseJson(json));
  if (!parsed.success)
    return { ok: false, why: `the result does not fit the contract: ${z.prettifyError(parsed.error)}` };
  return { ok: true, result: parsed.data };
}

function shorten(result: StepResult, limit: number): StepResult {
  const cut = (text: string) => (text.length <= limit ? text : `${text.slice(0, limit)}…`);
  switch (result.outcome) {
    case "failed":
    case "nothingToDo":
      return { ...result, message: cut(result.message) };
    case "blocked":
    case "rebootRequired": {
      const kept = limit === Number.POSITIVE_INFINITY ? result.reasons : result.reasons.slice(0, 5);
      return { ...result, reasons: kept.map((reason) => ({ ...reason, message: cut(reason.message) })) };
    }
    case "succeeded":
      return result;
  }
}

function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function checksum(json: string): string {
  return createHash("sha256").update(json).digest("hex").slice(0, 16);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function quote(line: string): string {
  return JSON.stringify(line.length > 120 ? `${line.slice(0, 120)}…` : line);
}
