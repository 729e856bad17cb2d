import { expect, test } from "vitest";
import type { RunReport } from "../../../contract/run.ts";
import { renderReportPage } from "../../../lambdas/fleet/report-page.ts";
import { REPORT } from "./report-sample.ts";

/** The page as somebody reads it: no tags, entities resolved, one space between words. */
function textOf(page: string): string {
  return page
    .replace(/<style>[\s\S]*?<\/style>/, "")
    .replace(/<[^>]+>/g, " ")
    .replace(/&#(\d+);/g, (_all, code) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, " ");
}

test("what happened, what failed, why, and what now come before everything else", () => {
  const text = textOf(renderReportPage(REPORT));

  const order = [
    "Stopped",
    REPORT.sentence,
    "2 committed",
    "2 rolled back",
    "1 in doubt",
    "What needs attention",
    "web-03 rolled back",
    "Failed at install : maintainerScriptFailed",
    "maintainerScriptFailed happened",
    "Open again: CVE-2025-9230, CVE-2025-15467, CVE-2025-23419.",
    "What now:",
    "Waves",
    "Hosts",
    "Packages",
    "By their changelogs they fix at least 3 CVEs.",
    "Where the time went",
  ];
  let from = 0;
  const found = order.filter((part) => {
    const at = text.indexOf(part, from);
    if (at !== -1) from = at + part.length;
    return at !== -1;
  });
  expect(found).toEqual(order);
});

test("hosts seen from outside say so, and whether that agrees", () => {
  const outside = new Map([
    ["i-00000003", { identical: true, compared: 12_345, differences: 0 }],
    ["i-00000004", { identical: false, compared: 12_346, differences: 7 }],
  ]);

  const text = textOf(renderReportPage(REPORT, outside));

  expect(text).toContain("Compared from outside: identical in 12,345 things.");
  expect(text).toContain("Compared from outside: 7 differences in 12,346 things.");
  expect(textOf(renderReportPage(REPORT))).not.toContain("outside");
});

test("each package stands once, with the hosts it concerns", () => {
  const text = textOf(renderReportPage(REPORT));

  expect(text).toContain(
    "nginx 1.22.1-9 1.22.1-9+deb12u3 security, critical CVE-2025-23419, and perhaps more: its changelog is cut all 5",
  );
  expect(text).toContain("webapp-data 2.0 new web-04");
  expect(text).toContain("webapp-old 1.0 removed web-04");
  expect(text.match(/openssl/g)).toHaveLength(1);
});

test("the page needs nothing but itself", () => {
  const page = renderReportPage(REPORT);

  expect(page).not.toMatch(/<(script|link|img|iframe)|https?:|url\(|@import/i);
  expect(page).toMatch(/^<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport"/);
});

test("what comes from a host cannot become markup", () => {
  const evil = `<script>alert("1")</script>' onmouseover='x`;
  const report: RunReport = {
    ...REPORT,
    sentence: evil,
    hosts: REPORT.hosts.map((host) => ({
      ...host,
      name: evil,
      failure: host.failure && { ...host.failure, message: evil },
      packages: host.packages.map((change) => ({ ...change, name: evil })),
    })),
  };

  const page = renderReportPage(report);

  expect(page).not.toContain("<script>");
  expect(page).not.toContain("' onmouseover");
  expect(page).toContain("&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;&#39; onmouseover=&#39;x");
});

test("a run without hosts is a page too", () => {
  const text = textOf(
    renderReportPage({
      ...REPORT,
      outcome: "partial",
      sentence: "No host was eligible: 1 left out.",
      waves: [],
      hosts: [],
    }),
  );

  expect(text).toContain("Partly done No host was eligible: 1 left out.");
  expect(text).toContain("web-09 left out");
});

test("who approved which plan, when and why; and verdicts by what they are of", () => {
  const by = "AIDAEXAMPLE";
  const at = "2026-01-02T03:30:00.000Z";
  const decision = { by, at, decision: "approve", reason: "read and understood" } as const;
  const end = { verdict: "approved", digest: "d".repeat(64), wave: 0, at, reason: "1 of 1 approved" } as const;
  const [first, ...rest] = REPORT.waves;
  const [verdict] = first?.verdicts ?? [];
  if (first === undefined || verdict === undefined) throw new Error("the sample has no verdict");
  const verdicts = [verdict, { ...verdict, phase: "check" as const }, { ...verdict, before: true }];
  const report: RunReport = {
    ...REPORT,
    approvals: [{ ...end, decisions: [decision] }],
    waves: [{ ...first, verdicts }, ...rest],
  };

  const text = textOf(renderReportPage(report));

  expect(text).toContain(
    `Approvals canary approved 2026-01-02 03:30 UTC approve by ${by} , 2026-01-02 03:30 UTC: read and understood plan ${"d".repeat(64)}`,
  );
  expect(text).toMatch(/prepared: go on .* checked after its bake: go on .* before it prepares: go on/);
  expect(textOf(renderReportPage(REPORT))).not.toContain("Approvals");
});
