import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BYTES_PER_HOST, forgetRunFolder, openRunFolder, runName } from "../../../local/hosts/run-folder.ts";

let parent: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "runs-test-"));
});

afterEach(() => rmSync(parent, { recursive: true, force: true }));

test("the leftovers are the folders of dead runs only: not a living one's, a kept one's or one of another PID namespace", async () => {
  const living = spawn("sleep", ["60"]);
  const dying = spawn("sleep", ["60"]);
  const [alive, dead] = [runName(living.pid ?? 0), runName(dying.pid ?? 0)];
  dying.kill("SIGKILL");
  await once(dying, "exit");
  const reused = alive.replace(/-\d+$/, "-1");
  const kept = dead.replace(/-\d+$/, "-2");
  const foreign = dead.replace(/^run-\d+/, "run-1");
  for (const name of [alive, dead, reused, kept, foreign, "something-else"]) mkdirSync(join(parent, name));
  writeFileSync(join(parent, kept, "keep"), "");

  const run = openRunFolder([parent], 0);
  living.kill("SIGKILL");

  expect([...run.leftovers].sort()).toEqual([join(parent, dead), join(parent, reused)].sort());
});

test("two of one process have folders of their own; the last one takes the process's folder along", () => {
  const one = openRunFolder([parent], 0);
  const other = openRunFolder([parent], 0);
  rmSync(one.path, { recursive: true });
  forgetRunFolder(one);
  const whileOther = existsSync(other.path);
  rmSync(other.path, { recursive: true });
  forgetRunFolder(other);

  expect(one.path).not.toBe(other.path);
  expect(whileOther).toBe(true);
  expect(readdirSync(parent)).toEqual([]);
});

test("too many hosts for the room there is are refused, with what each would need", () => {
  const hosts = 1_000_000;

  expect(() => openRunFolder([parent], hosts)).toThrow(
    `sandbox: no folder has the ${((hosts * BYTES_PER_HOST) / 1e6).toLocaleString("en")} MB that the upper layers may need:\n  ${parent} has`,
  );
  expect(readdirSync(parent)).toEqual([]);
});

test("a folder that is a link is not used", () => {
  const link = join(parent, "link");
  symlinkSync(parent, link);

  expect(() => openRunFolder([link], 1)).toThrow(`${link}: is a link or belongs to uid 0, not to this user; remove it`);
});
