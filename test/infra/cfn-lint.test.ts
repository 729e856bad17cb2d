import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { synthesised } from "./assembly.ts";

const installed = spawnSync("cfn-lint", ["--version"], { encoding: "utf8" }).status === 0;

/** Not in Debian; `pipx install cfn-lint` brings it. */
test.skipIf(!installed)(
  `cfn-lint has nothing against the template${installed ? "" : " (cfn-lint is not installed: not asked)"}`,
  () => {
    const stack = synthesised({ slackSecret: "slack" });
    try {
      const { stdout, stderr, error } = spawnSync(
        "cfn-lint",
        ["--format", "json", "--", join(stack.folder, "AutoPatch.template.json")],
        { encoding: "utf8", timeout: 150_000, maxBuffer: 64 << 20 },
      );
      expect(error).toBeUndefined();
      const findings = JSON.parse(stdout || "null") as Finding[] | null;
      expect(findings, stderr).toBeInstanceOf(Array);
      expect((findings ?? []).filter(({ Rule }) => !KNOWN.has(Rule.Id)).map(said)).toEqual([]);
    } finally {
      stack.remove();
    }
  },
  180_000,
);

interface Finding {
  readonly Rule: { readonly Id: string };
  readonly Message: string;
  readonly Location: { readonly Path: readonly (string | number)[] | null };
}

/** Rules whose findings are meant so, and why. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  ["W3005", "CDK says in so many words that a function waits for its role's policy, which implies the role"],
]);

function said({ Rule, Message, Location }: Finding): string {
  return `${Rule.Id} ${(Location.Path ?? []).join("/")}: ${Message}`;
}
