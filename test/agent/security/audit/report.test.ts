import { describe, expect, test } from "vitest";
import { audit, findingOf } from "../../../../agent/security/audit/audit.ts";
import { type AuditContext, type Checker, looked } from "../../../../agent/security/audit/checker.ts";
import { wrap } from "../../../../agent/security/audit/text.ts";
import { NOW } from "./told.ts";

describe("the report", () => {
  const checker = (id: string, run: Checker["run"]): Checker => ({ id, title: id, run });
  const context = {
    machine: { root: "/", clock: { now: () => NOW, sleep: async () => {} } },
    comprehensive: false,
  } as unknown as AuditContext;
  const finding = { id: "x", severity: "low" as const, title: "t", evidence: ["e"], remedy: "r" };

  test("a check that throws or hangs is unknown and stops no other", async () => {
    const report = await audit(
      context,
      [
        checker("broken", () => Promise.reject(new Error("no such file"))),
        checker("hanging", () => new Promise(() => {})),
        checker("finding", async () => looked(finding, { ...finding, id: "y", severity: "high" }, null)),
        { ...checker("deep", async () => looked()), comprehensive: true },
      ],
      { checkMs: 50, wholeMs: 1_000 },
    );
    expect(report.checks.map(({ id, status, reason }) => [id, status, reason])).toEqual([
      ["broken", "unknown", "no such file"],
      ["hanging", "unknown", "it did not end within 0 s"],
      ["finding", "findings", null],
    ]);
    expect(report.findings.map(({ id, check }) => [id, check])).toEqual([
      ["y", "finding"],
      ["x", "finding"],
    ]);
    expect(report.counts).toEqual({ critical: 0, high: 1, medium: 0, low: 1, info: 0 });
  });

  test("evidence is bounded in lines and in length, and said to be", () => {
    const evidence = ["a\nb", "x".repeat(1_000), ...Array.from({ length: 48 }, (_, i) => String(i))];
    const cut = findingOf({ id: "c" }, { ...finding, evidence });
    expect([cut.evidence.length, cut.evidenceTotal, cut.evidence[0], cut.evidence[1]?.length]).toEqual([
      20,
      50,
      "a | b",
      401,
    ]);
  });

  test("text breaks at blanks within 80 columns; a path stays whole", () => {
    const path = `/usr/${"long".repeat(30)}`;
    expect(wrap(`  ${"word ".repeat(18)}${path} end`, 4)).toEqual([
      `  ${"word ".repeat(14)}word`,
      "    word word word",
      `    ${path}`,
      "    end",
    ]);
  });
});
