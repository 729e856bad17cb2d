import { App } from "aws-cdk-lib";
import { AutoPatchStack } from "./autopatch-stack.ts";
import { readConfig } from "./config.ts";

/** CDK's newer behaviours that we rely on; here and not in cdk.json, so that every way of synthesising gives the same template. */
const FEATURES = {
  "@aws-cdk/aws-iam:minimizePolicies": true,
  "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": true,
  "@aws-cdk/core:checkSecretUsage": true,
  // As the CDK CLI sets them.
  "aws:cdk:enable-path-metadata": true,
  "aws:cdk:enable-asset-metadata": true,
};

/**
 * The app with its one stack, not pinned to an account or Region, so that synthesis asks nobody.
 * @param settings folder for the cloud assembly and configuration; from the CDK CLI when absent
 * @throws ConfigError before anything is written
 */
export function buildApp(settings: { outdir?: string; config?: unknown } = {}): App {
  const app = new App({
    ...(settings.outdir === undefined ? {} : { outdir: settings.outdir }),
    analyticsReporting: false,
    context: { ...FEATURES, ...(settings.config === undefined ? {} : { autopatch: settings.config }) },
  });
  const config = readConfig(app.node.tryGetContext("autopatch"));
  new AutoPatchStack(app, config.stackName, { config });
  return app;
}

/**
 * Synthesises in this process, as `npm run synth` does in its own.
 * @param outdir folder that becomes the cloud assembly
 * @param config as under the context key `autopatch`
 * @returns the assembly's folder
 */
export function synthesise(outdir: string, config: unknown = {}): string {
  return buildApp({ outdir, config }).synth().directory;
}
