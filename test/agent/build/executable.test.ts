import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BuiltAgent, buildAgent } from "../../../agent/build/executable.ts";
import { layAgent } from "../../../agent/build/layer.ts";
import { exec } from "../../../agent/host/exec.ts";
import { defaultCacheFolder } from "../../../local/hosts/base.ts";

let folder: string;
let built: BuiltAgent;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-build-"));
  built = await buildAgent({ outdir: join(folder, "dist"), cacheDir: join(defaultCacheFolder(), "agents") });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
const run = (args: string[], env: Record<string, string> = {}, cwd = "/") =>
  exec(built.path, args, { deadlineMs: 20_000, env: { PATH: "/usr/bin:/bin", ...env }, cwd });

test("it runs without Node and tells its version", async () => {
  expect(await run(["--version"])).toMatchObject({ exitCode: 0, stdout: `autopatch ${version}\n`, stderr: "" });
});

test("the same inputs are taken from the cache; another cache builds again, and keeps the newest four", async () => {
  const again = await buildAgent({ outdir: join(folder, "again"), cacheDir: join(defaultCacheFolder(), "agents") });
  expect(again).toMatchObject({ cached: true, inputs: built.inputs, bytes: built.bytes, arch: "x64" });
  const cache = join(folder, "cache");
  mkdirSync(join(cache, "building-killed"), { recursive: true });
  for (const [number, name] of ["1", "2", "3", "4", "5"].entries()) {
    writeFileSync(join(cache, `autopatch-x64-${name}`), "");
    utimesSync(join(cache, `autopatch-x64-${name}`), 1_000 + number, 1_000 + number);
  }
  utimesSync(join(cache, "building-killed"), 1_000, 1_000);
  const fresh = await buildAgent({ outdir: join(folder, "fresh"), cacheDir: cache });
  expect(fresh).toMatchObject({ cached: false, inputs: built.inputs });
  const kept = ["3", "4", "5", fresh.inputs].map((name) => `autopatch-x64-${name}`).sort();
  expect(readdirSync(cache).sort()).toEqual(kept);
});

describe("nothing in the environment or the current folder puts code into it", () => {
  /** Whether the mark was made by foreign code. */
  async function foreignCodeRan(env: (evil: string) => Record<string, string>, args = ["--version"]): Promise<boolean> {
    const place = mkdtempSync(join(folder, "evil-"));
    const mark = join(place, "mark");
    const evil = join(place, "evil.cjs");
    writeFileSync(evil, `require("node:fs").writeFileSync(${JSON.stringify(mark)}, "");`);
    writeFileSync(join(place, ".env"), `NODE_OPTIONS=--require ${evil}\n`);
    writeFileSync(join(place, "node.config.json"), JSON.stringify({ nodeOptions: { require: [evil] } }));
    writeFileSync(join(place, "package.json"), JSON.stringify({ main: evil, type: "commonjs" }));
    for (const name of ["zod", "fs"]) {
      mkdirSync(join(place, "node_modules", name), { recursive: true });
      writeFileSync(join(place, "node_modules", name, "index.js"), readFileSync(evil));
    }
    const result = await run(args, env(evil), place);
    expect(result).toMatchObject({ exitCode: 0, stdout: `autopatch ${version}\n` });
    return existsSync(mark);
  }

  test.each([
    ["NODE_OPTIONS --require", (evil: string) => ({ NODE_OPTIONS: `--require ${evil}` })],
    ["NODE_OPTIONS --import", (evil: string) => ({ NODE_OPTIONS: `--import ${evil}` })],
    ["NODE_OPTIONS --experimental-default-config-file", () => ({ NODE_OPTIONS: "--experimental-default-config-file" })],
    ["NODE_PATH", (evil: string) => ({ NODE_PATH: join(evil, "../node_modules") })],
    ["files of the current folder", () => ({})],
  ])("%s", async (_name, env) => {
    expect(await foreignCodeRan(env)).toBe(false);
  });

  test("OPENSSL_CONF, which could load any shared library: Node would not even start with this one", async () => {
    const conf = join(folder, "openssl.cnf");
    const sections = "[init]\nproviders = list\n[list]\nevil = evil\n[evil]\nmodule = /nowhere/evil.so\nactivate = 1\n";
    writeFileSync(conf, `nodejs_conf = init\nopenssl_conf = init\n${sections}`);
    const env = { OPENSSL_CONF: conf };
    const node = await exec(process.execPath, ["-e", "0"], { deadlineMs: 20_000, env });
    expect(node.exitCode).not.toBe(0);
    expect(await run(["--version"], env)).toMatchObject({ exitCode: 0, stdout: `autopatch ${version}\n`, stderr: "" });
  });

  test("NODE_REPL_EXTERNAL_MODULE makes it refuse to start", async () => {
    const mark = join(folder, "repl-mark");
    const evil = join(folder, "repl.cjs");
    writeFileSync(evil, `require("node:fs").writeFileSync(${JSON.stringify(mark)}, "");`);
    expect(await run(["--version"], { NODE_REPL_EXTERNAL_MODULE: evil })).toMatchObject({ exitCode: 9, stdout: "" });
    expect(existsSync(mark)).toBe(false);
  });

  test("a flag of Node's is an argument like any other", async () => {
    const result = await run(["--require", "/tmp/evil.cjs", "show-status"]);
    expect(result).toMatchObject({ exitCode: 2, stdout: "" });
    expect(result.stderr).toMatch(/^autopatch: unknown program --require/);
  });
});

test("the layer has every program's link, closed folders and a configuration of root's alone, whatever the umask", async () => {
  const layer = join(folder, "layer");
  const umask = process.umask(0o077);
  try {
    layAgent(layer, { executable: built.path, config: "AWS_REGION=eu-west-3\n" });
  } finally {
    process.umask(umask);
  }
  const mode = (path: string) => (statSync(join(layer, path)).mode & 0o7777).toString(8);
  const links = readdirSync(join(layer, "usr/local/bin")).sort();
  expect(links).toEqual(["autopatch-manager.sh", "download.sh", "install.sh", "rollback.sh"]);
  for (const link of links) {
    expect(lstatSync(join(layer, "usr/local/bin", link)).isSymbolicLink()).toBe(true);
    expect(readlinkSync(join(layer, "usr/local/bin", link))).toBe("/usr/lib/autopatch/autopatch");
  }
  const paths = [
    "usr",
    "usr/local/bin",
    "usr/lib/autopatch/autopatch",
    "etc/autopatch",
    "etc/autopatch/autopatch.conf",
    "etc/autopatch/health.d",
    "var/log/autopatch",
    "var/lib/autopatch",
  ];
  expect(paths.map((path) => [path, mode(path)])).toEqual([
    ["usr", "755"],
    ["usr/local/bin", "755"],
    ["usr/lib/autopatch/autopatch", "755"],
    ["etc/autopatch", "755"],
    ["etc/autopatch/autopatch.conf", "600"],
    ["etc/autopatch/health.d", "755"],
    ["var/log/autopatch", "755"],
    ["var/lib/autopatch", "700"],
  ]);
  expect(readFileSync(join(layer, "etc/autopatch/autopatch.conf"), "utf8")).toBe("AWS_REGION=eu-west-3\n");
});
