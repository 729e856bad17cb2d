import { expect, test } from "vitest";
import { exec } from "../../../agent/host/exec.ts";
import { EnvironmentError, missing, provide } from "../../../local/runner/requirements.ts";

const SHELL = { command: "sh", package: "dash" };
const ABSENT = { command: "no-such-program", package: "no-such-package" };
const PATH = process.env.PATH ?? "";

test("what is not on the PATH is missing, and nothing else; /usr/sbin counts", () => {
  expect(missing([SHELL, ABSENT, { command: "ldconfig", package: "libc-bin" }], "/usr/bin")).toEqual([ABSENT]);
});

test("nothing missing: nothing is run or said", async () => {
  const said: string[] = [];
  const run = () => Promise.reject(new Error("no process is to be started"));
  await provide([SHELL], { exec: run, path: PATH, isRoot: true, say: (text) => said.push(text) });
  expect(said).toEqual([]);
});

test("without root the command to type is named", async () => {
  const machine = { exec, path: PATH, isRoot: false, say: () => {} };
  await expect(provide([ABSENT], machine)).rejects.toThrow(
    new EnvironmentError(
      "these Debian packages are needed: run  sudo apt-get install --no-install-recommends no-such-package",
    ),
  );
});

test("what apt cannot install is told in apt's words, with the package", async () => {
  const said: string[] = [];
  const machine = { exec, path: PATH, isRoot: true, say: (text: string) => void said.push(text) };
  const providing = provide([ABSENT], machine);
  await expect(providing).rejects.toThrow(
    /apt-get .*\n {2}E: Unable to locate package no-such-package\n {2}these packages are needed/,
  );
  expect(said).toEqual(["installing no-such-package"]);
});
