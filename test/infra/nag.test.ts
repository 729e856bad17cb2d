import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, type Stack, Validations } from "aws-cdk-lib";
import { Policy, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { AwsSolutionsChecks } from "cdk-nag";
import { expect, onTestFinished, test } from "vitest";
import { buildApp } from "../../infra/synthesise.ts";

function checkedApp(config?: unknown): App {
  const outdir = mkdtempSync(join(tmpdir(), "autopatch-nag-"));
  onTestFinished(() => rmSync(outdir, { recursive: true, force: true }));
  const app = buildApp({ outdir, config });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}

test.each([
  ["as it is", undefined],
  ["with root volumes that are given back", { rootVolumes: "replace" }],
])("the stack %s passes AwsSolutions: every exception is argued where it stands", (_how, config) => {
  const assembly = checkedApp(config).synth();

  expect(assembly.stacks.map(({ stackName }) => stackName)).toEqual(["AutoPatch"]);
});

test("a new wildcard is refused, for no exception covers more than its own finding", () => {
  const app = checkedApp();
  const stack = app.node.findChild("AutoPatch") as Stack;
  const role = new Role(stack, "Wide", { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
  new Policy(stack, "WidePolicy", {
    roles: [role],
    statements: [new PolicyStatement({ actions: ["s3:*"], resources: ["*"] })],
  });

  expect(() => app.synth()).toThrow(/WidePolicy[\s\S]*AwsSolutions-IAM5\[Action::s3:\*\]/);
});
