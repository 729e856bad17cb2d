import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toEnvironment } from "../../contract/environment.ts";
import { withBundles } from "../../infra/constructs/bundles.ts";
import { FLEET_FUNCTIONS } from "../../infra/constructs/fleet-functions.ts";
import { LocalFunction } from "../../local/cloud/lambda.ts";
import { SETTINGS } from "../lambdas/run-fleet.ts";

/** A little above what the largest weighs: growth is to be noticed, and looked into with esbuild's metafile. */
const MOST_KILOBYTES = 600;

let folder: string;
const fileOf = (name: string) => join(folder, name, "index.mjs");

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "autopatch-bundles-test-"));
  withBundles(FLEET_FUNCTIONS, (folderOf) => {
    for (const name of FLEET_FUNCTIONS) cpSync(folderOf(name), join(folder, name), { recursive: true });
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the bundle of each Lambda", () => {
  test.each(FLEET_FUNCTIONS)("%s: no more than it needs", (name) => {
    const text = readFileSync(fileOf(name), "utf8");

    expect(statSync(fileOf(name)).size / 1000).toBeLessThan(MOST_KILOBYTES);
    expect(text).toContain("AWS_SESSION_TOKEN");
    expect(["sso-oidc", "AssumeRoleWithWebIdentity", "credential_process"].filter((one) => text.includes(one))).toEqual(
      [],
    );
  });

  test("an error keeps its name, by which state machines retry and catch", async () => {
    const dispatch = new LocalFunction(
      {
        name: "dispatch",
        folder: join(folder, "dispatch"),
        handler: "index.handler",
        environment: {
          AWS_REGION: "eu-west-1",
          ...toEnvironment(SETTINGS),
        },
        timeoutSeconds: 20,
        memoryMb: 512,
      },
      () => undefined,
    );
    try {
      expect(await dispatch.invoke({ nothing: "that it takes" })).toMatchObject({
        error: { errorType: "ContractError" },
      });
    } finally {
      await dispatch.close();
    }
  });
});

test("each error class of the cloud's half names itself as text: bundles shorten the names of classes", () => {
  const root = join(import.meta.dirname, "../..");
  const nameless = globSync("{contract,lambdas}/**/*.ts", { cwd: root }).flatMap((file) =>
    [...readFileSync(join(root, file), "utf8").matchAll(/class (\w+) extends \w*Error \{\n(.*)/g)]
      .filter(([, name, first]) => first?.trim() !== `override readonly name = "${name}";`)
      .map(([, name]) => `${file}: ${name}`),
  );
  expect(nameless).toEqual([]);
});
