import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { documentTree } from "../../../agent/build/documents.ts";
import type { TreeEntry } from "../../../agent/build/tree.ts";
import { exec } from "../../../agent/host/exec.ts";
import { PROGRAM_LINKS } from "../../../contract/names.ts";

let folder: string;
let tree: TreeEntry[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-documents-"));
  tree = await documentTree("1.2.3", "2026-11-25");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pages = () =>
  tree.flatMap((entry) =>
    entry.kind === "file" && entry.path.includes("/man/")
      ? [{ name: entry.path.replace(/^.*\/(.+)\.gz$/, "$1"), text: gunzipSync(entry.content).toString() }]
      : [],
  );

test("there is a page for each program, for autopatch itself and for the configuration", () => {
  const names = [...Object.keys(PROGRAM_LINKS), "autopatch"].map((name) => `${name}.8`);
  expect(pages().map(({ name }) => name)).toEqual([...names, "autopatch.conf.5"]);
});

test("man shows every page without a warning, with names and values as they are typed", async () => {
  const shown: Record<string, string> = {};
  for (const { name, text } of pages()) {
    writeFileSync(join(folder, name), text);
    const args = ["--warnings", "-E", "ascii", "-l", join(folder, name)];
    const result = await exec("man", args, { deadlineMs: 30_000, env: { PATH: "/usr/bin:/bin", MANWIDTH: "80" } });
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    shown[name] = result.stdout;
  }
  expect(shown["rollback.sh.8"]).toContain("rollback.sh --validate-backup BACKUP\n");
  expect(shown["install.sh.8"]).toMatch(/^ {7}--deadline-seconds N\n {14}what apt and dpkg may take/m);
  expect(shown["install.sh.8"]).toMatch(/^ {7}12 {5}the host is not what it was$/m);
  expect(shown["autopatch.conf.5"]).toMatch(
    /^ {7}AUTOPATCH_BACKUP_RETENTION_DAYS=30\n {14}Days that backups are kept\.$/m,
  );
});

const completed = async (line: string) => {
  const [script] = tree.flatMap((entry) =>
    entry.kind === "file" && entry.path.endsWith("completions/autopatch") ? [String(entry.content)] : [],
  );
  writeFileSync(join(folder, "completion"), script ?? "");
  // As bash breaks a line into words: the equals sign is one.
  const program = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _autopatch; echo "\${COMPREPLY[@]}"`;
  const words = line.split(/ |(?==)|(?<==)/);
  const result = await exec("bash", ["-c", program, "bash", join(folder, "completion"), ...words], {
    deadlineMs: 10_000,
  });
  expect(result.stderr).toBe("");
  return result.stdout.trim();
};

test.each([
  ["autopatch-manager.sh show-", "show-status"],
  ["autopatch-manager.sh show-status --", "--format --detailed --health-check --quiet --help"],
  ["autopatch-manager.sh show-status --format=", "json text"],
  ["autopatch-manager.sh show-status --format=j", "json"],
  ["autopatch-manager.sh show-status --format t", "text"],
  ["download.sh --d", "--dry-run"],
  ["rollback.sh --restore-test --la", "--latest-backup"],
  ["/usr/local/bin/install.sh --no-b", "--no-backup"],
  ["autopatch man", "manager"],
  ["autopatch manager show-status --q", "--quiet"],
  ["autopatch download --v", "--verbose"],
  ["autopatch nothing --v", ""],
])("bash completes %s", async (line, words) => {
  expect(await completed(line)).toBe(words);
});
