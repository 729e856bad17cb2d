import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runDocument } from "../../../local/run-command/document/run-document.ts";
import { cloneAsHost } from "./agent-host.ts";

/** Answers recorded from the real amazon-ssm-agent; see the README beside the cases. */
const FOLDER = join(import.meta.dirname, "../../fixtures/run-command");

type Text = string | null | { readonly length: number; readonly head: string; readonly tail: string };
interface GoldenStep {
  readonly name: string;
  readonly status: string;
  readonly exitCode: number | null;
  readonly stdout: Text;
  readonly stderr: Text;
}
interface Golden {
  readonly case: string;
  readonly document: unknown;
  readonly parameters: Record<string, string[]>;
  readonly expected: {
    readonly documentStatus: string;
    readonly steps: readonly GoldenStep[];
    readonly trace?: string;
  };
}

const cases = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as Golden);

/** Long outputs were recorded as length, head and tail: ours is put in the same form. */
function inFormOf(recorded: Text | undefined, actual: string | null): Text {
  if (actual === null || typeof recorded !== "object" || recorded === null) return actual;
  return {
    length: Buffer.byteLength(actual),
    head: actual.slice(0, recorded.head.length),
    tail: actual.slice(-recorded.tail.length),
  };
}

describe("answers as the real agent does", () => {
  test("the recorded cases are there", () => {
    expect(cases.length).toBeGreaterThanOrEqual(24);
  });

  test.concurrent.each(cases)("$case", async ({ document, parameters, expected }) => {
    const host = await cloneAsHost();
    try {
      const result = await runDocument({
        document,
        parameters,
        commandId: "5a8e4b1c-0d3f-4c55-9d1e-7f1b6c2a9e10",
        host,
        now: () => new Date(0),
      });
      expect({
        documentStatus: result.status,
        steps: result.steps.map(({ name, status, exitCode, stdout, stderr }, index) => ({
          name,
          status,
          exitCode,
          stdout: inFormOf(expected.steps[index]?.stdout, stdout),
          stderr: inFormOf(expected.steps[index]?.stderr, stderr),
        })),
        ...(expected.trace === undefined ? {} : { trace: result.trace }),
      }).toEqual(expected);
    } finally {
      await host.close();
    }
  });
});
