import { ArnFormat, Stack } from "aws-cdk-lib";
import { CfnDocument } from "aws-cdk-lib/aws-ssm";
import { Construct } from "constructs";
import { documentName, HOST_PATHS, REQUEST_PARAMETER, REQUEST_PATTERN } from "../../contract/names.ts";
import { STEP_TIMEOUT_SECONDS, STEPS, type StepName } from "../../contract/steps.ts";

/** One SSM document for each step, so that a role can be allowed some steps and not others. */
export class StepDocuments extends Construct {
  readonly names: Readonly<Record<StepName, string>>;
  readonly arns: readonly string[];

  constructor(scope: Construct, id: string, props: { readonly prefix: string }) {
    super(scope, id);
    const names = STEPS.map((step) => [step, `${props.prefix}${documentName(step)}`] as const);
    for (const [step, name] of names) {
      new CfnDocument(this, step, {
        name,
        documentType: "Command",
        documentFormat: "JSON",
        updateMethod: "NewVersion",
        content: stepDocument(step),
      });
    }
    this.names = Object.fromEntries(names) as Record<StepName, string>;
    this.arns = names.map(([, resourceName]) =>
      Stack.of(this).formatArn({
        service: "ssm",
        resource: "document",
        resourceName,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      }),
    );
  }
}

/**
 * The content of a step's document. The SSM agent replaces `{{ request }}` as raw text whatever the quoting, so the one parameter
 * is base64url held by an anchored pattern; `exec` leaves no shell between SSM's time-out and the agent.
 */
export function stepDocument(step: StepName) {
  return {
    schemaVersion: "2.2",
    description: `AutoPatch: ${step} on this host`,
    parameters: {
      [REQUEST_PARAMETER]: {
        type: "String",
        description: "One step request in base64url",
        allowedPattern: REQUEST_PATTERN,
      },
    },
    mainSteps: [
      {
        action: "aws:runShellScript",
        name: step,
        inputs: {
          timeoutSeconds: String(STEP_TIMEOUT_SECONDS[step]),
          runCommand: [`exec ${HOST_PATHS.executable} step ${step} --request '{{ ${REQUEST_PARAMETER} }}'`],
        },
      },
    ],
  };
}
