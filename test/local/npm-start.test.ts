import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalReport } from "../../local/runner/run.ts";
import { leftBehind, npmStart, REPOSITORY } from "./npm-start.ts";

const MINUTES = 60_000;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-start-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const reportIn = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8")) as LocalReport;

describe("bad input is named, with the way out, and nothing is made", () => {
  test.each([
    [["--hosts", "0"], 2, /--hosts 0: a whole number from 1 to 20/],
    [["--hosts", "1000"], 2, /--hosts 1000: a whole number from 1 to 20/],
    [["--pakages=both"], 2, /--pakages: no such option; did you mean --packages\?/],
    [["--scenario", "superseded", "--packages", "debian"], 2, /--packages debian: the scenario superseded changes/],
    [["--json", "/nonexistent/out.json"], 2, /\/nonexistent\/out\.json: cannot be written/],
  ])("%j", async (args, code, message) => {
    const run = npmStart(...args);
    const end = await run.ended;
    expect(end).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(message) });
  });

  test("help is no error", async () => {
    expect(await npmStart("--help").ended).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringMatching(/^Usage: npm start/),
    });
  });
});

describe("the main job, on Debian's own updates and the sample packages", () => {
  let end: { code: number | null; stdout: string; stderr: string };
  let pid: number;
  let report: LocalReport;
  beforeAll(async () => {
    const run = npmStart("--json", join(folder, "out.json"), "--html", join(folder, "out.html"));
    pid = run.child.pid ?? 0;
    end = await run.ended;
    report = reportIn("out.json");
  }, 25 * MINUTES);

  test("it exits 0, and every host ends as its packages make it end", () => {
    expect(end).toMatchObject({ code: 0, stderr: "" });
    expect(
      report.hosts.map(({ name, wave, role, outcome, identical, problems }) => ({
        name,
        wave,
        role,
        outcome,
        identical,
        problems,
      })),
    ).toEqual([
      { name: "canary-01", wave: 0, role: "prepared", outcome: "committed", identical: null, problems: [] },
      { name: "web-02", wave: 1, role: "edited", outcome: "committed", identical: null, problems: [] },
      { name: "web-03", wave: 1, role: "failing", outcome: "unchanged", identical: true, problems: [] },
      { name: "web-04", wave: 1, role: "unhealthy", outcome: "rolledBack", identical: true, problems: [] },
      { name: "web-05", wave: 1, role: "plain", outcome: "committed", identical: null, problems: [] },
    ]);
    expect(report).toMatchObject({
      outcome: "partial",
      problems: [],
      sentence: "3 of 5 hosts committed, 1 rolled back, 1 left unchanged.",
    });
  });

  test("packages stand in it with the versions they came from and went to", () => {
    for (const { packages } of report.hosts) {
      const security = packages.filter((one) => one.security);
      expect(security.length).toBeGreaterThan(10);
      expect(packages).toContainEqual(expect.objectContaining({ name: "webapp", from: "1.0-1", to: "2.0-1" }));
      expect(packages).toContainEqual(expect.objectContaining({ name: "libreport2", from: null, to: "2.0-1" }));
      for (const { name, from, to } of security) expect(from, name).not.toBe(to);
    }
  });

  test("why they failed is said, and the budget decided on", () => {
    const [, , failing, unhealthy] = report.hosts;
    expect(failing?.failure).toMatchObject({
      step: "rehearse",
      code: "maintainerScriptFailed",
      message: expect.stringContaining("failing-app"),
    });
    expect(unhealthy?.failure).toMatchObject({
      step: "validate",
      code: "unhealthy",
      message: expect.stringContaining("unhealthy-app"),
    });
    const verdicts = report.waves.flatMap(({ verdicts }) =>
      verdicts.map(({ wave, phase, failed, allowed, decision }) => [wave, phase, failed, allowed, decision]),
    );
    expect(verdicts).toEqual([
      [0, "prepare", 0, 0, "continue"],
      [0, "apply", 0, 0, "continue"],
      [0, "check", 0, 0, "continue"],
      [1, "prepare", 1, 2, "continue"],
      [1, "apply", 2, 2, "continue"],
    ]);
  });

  test("comparing from outside looked at the whole of a host, and a committed one did change", () => {
    for (const { comparison, outcome } of report.hosts) {
      expect(comparison.compared).toBeGreaterThan(10_000);
      if (outcome === "committed") expect(comparison.different).toBeGreaterThan(1_000);
      else expect(comparison).toMatchObject({ different: 0, differences: [] });
    }
  });

  test("what ran is what lies in cdk.out, by hash", () => {
    const kinds = report.artefacts.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "document")).toHaveLength(15);
    expect(kinds.filter((kind) => kind === "function")).toHaveLength(13);
    expect(report.artefacts.filter(({ kind }) => kind === "state machine").map(({ name }) => name)).toEqual([
      "AutoPatch-PatchBatch",
      "AutoPatch-PatchFleet",
    ]);
    for (const { file, sha256 } of report.artefacts) {
      const [path = "", logicalId] = file.split("#");
      const text = readFileSync(join(REPOSITORY, "cdk.out", path));
      const used = logicalId === undefined ? text : JSON.stringify(JSON.parse(text.toString()).Resources[logicalId]);
      expect(createHash("sha256").update(used).digest("hex"), file).toBe(sha256);
      expect(end.stdout).toContain(sha256.slice(0, 16));
    }
  });

  test("the page needs no network and says the same", () => {
    const page = readFileSync(join(folder, "out.html"), "utf8");
    expect(page).toContain("3 of 5 hosts committed, 1 rolled back, 1 left unchanged.");
    expect(page).not.toMatch(/(src|href)="|url\(|@import/);
  });

  test("nothing is left on the machine", () => {
    expect(leftBehind(pid)).toEqual([]);
  });
});

test(
  "a dry run goes the same way and changes nothing",
  async () => {
    const run = npmStart("--dry-run", "--packages", "sample", "--hosts", "3", "--json", join(folder, "dry.json"));
    expect(await run.ended).toMatchObject({ code: 0, stderr: "" });
    const { hosts, outcome } = reportIn("dry.json");
    expect(outcome).toBe("succeeded");
    expect(hosts.map((host) => [host.outcome, host.identical, host.packages.length > 4])).toEqual(
      Array(3).fill(["planned", true, true]),
    );
    const steps = ["preflight", "download", "verify", "rehearse", "backup", "install", "reboot", "validate", "commit"];
    for (const host of hosts) expect(host.steps.map(({ step }) => step)).toEqual(steps);
  },
  5 * MINUTES,
);

test.each([
  ["split-view", "stopped", ["committed", "unchanged", "unchanged"]],
  ["superseded", "succeeded", ["committed", "committed", "committed"]],
])(
  "the story %s is told to its end",
  async (name, outcome, outcomes) => {
    const run = npmStart("--scenario", name, "--json", join(folder, `${name}.json`));
    expect(await run.ended).toMatchObject({ code: 0, stderr: "" });
    const report = reportIn(`${name}.json`);
    expect(report).toMatchObject({ scenario: name, outcome, problems: [] });
    expect(report.hosts.map((host) => host.outcome)).toEqual(outcomes);
    for (const { packages } of report.hosts)
      expect(packages.map(({ name: one, to }) => `${one} ${to}`)).toEqual(
        ["libreport2", "metricsd", "reportd", "webapp", "webapp-common"].map((one) => `${one} 2.0-1`),
      );
  },
  5 * MINUTES,
);

test(
  "Ctrl-C in mid-wave leaves nothing behind, and two runs side by side do not disturb each other",
  async () => {
    const interrupted = npmStart("--packages", "sample", "--hosts", "3");
    const other = npmStart("--packages", "sample", "--hosts", "2", "--json", join(folder, "other.json"));
    await interrupted.says(" install ");
    interrupted.child.kill("SIGINT");
    const end = await interrupted.ended;
    expect(end).toMatchObject({ code: 130, stderr: "\ninterrupted: ending hosts and endpoints\n" });
    expect(leftBehind(interrupted.child.pid ?? 0)).toEqual([]);
    expect(await other.ended).toMatchObject({ code: 0, stderr: "" });
    expect(reportIn("other.json").hosts.map(({ outcome }) => outcome)).toEqual(["committed", "committed"]);
    expect(leftBehind(other.child.pid ?? 0)).toEqual([]);
  },
  5 * MINUTES,
);

test(
  "killed outright it leaves no process and no mount, and the next start removes its folder",
  async () => {
    const killed = npmStart("--packages", "sample", "--hosts", "1");
    await killed.says(" preflight ");
    killed.child.kill("SIGKILL");
    await killed.ended;
    const pid = killed.child.pid ?? 0;
    await expect.poll(() => leftBehind(pid).filter((what) => !what.startsWith("/")), { timeout: 20_000 }).toEqual([]);
    const next = npmStart("--packages", "sample", "--hosts", "1", "--json", join(folder, "next.json"));
    expect(await next.ended).toMatchObject({ code: 0 });
    expect(leftBehind(pid)).toEqual([]);
  },
  5 * MINUTES,
);
