import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { expect, onTestFinished, test } from "vitest";
import { buildApp } from "../../infra/synthesise.ts";

test("AwsSolutions checks", () => {
  const outdir = mkdtempSync(join(tmpdir(), "autopatch-nag-"));
  onTestFinished(() => rmSync(outdir, { recursive: true, force: true }));
  const app = buildApp({ outdir });
  const c = new AwsSolutionsChecks(app);
  Validations.of(app).addPlugins(c);
  let error: unknown;
  try { app.synth(); } catch (e) { error = e; }
  console.log(String(error));
  expect(error).toBeUndefined();
});
