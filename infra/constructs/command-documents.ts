import { ArnFormat, Stack } from "aws-cdk-lib";
import { CfnDocument } from "aws-cdk-lib/aws-ssm";
import { Construct } from "constructs";
import { documentName, HOST_PATHS, REQUEST_PARAMETER, REQUEST_PATTERN } from "../../contract/names.ts";
import { COMMANDS, CommandName, STEP_TIMEOUT_SECONDS } from "../../contract/steps.ts";

/** One SSM document for each command. */
export class CommandDocuments extends Construct {
  readonly names: Readonly<Record<CommandName, string>>;
  readonly arns: readonly string[];

  constructor(scope: Construct, id: string, props: { readonly prefix: string }) {
    super(scope, id);
    const names = CommandName.options.map((command) => [command, `${props.prefix}${documentName(command)}`] as const);
    for (const [command, name] of names) {
      new CfnDocument(this, command, {
        name,
        documentType: "Command",
        documentFormat: "JSON",
        updateMethod: "NewVersion",
        content: commandDocument(command),
      });
    }
    this.names = Object.fromEntries(names) as Record<CommandName, string>;
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
 * The content of a command's document: its steps in order. SSM goes on after a step that failed; the agent does not, a step that is not
 * reached does nothing. The SSM agent replaces `{{ request }}` as raw text whatever the quoting, so the one parameter is base64url held
 * by an anchored pattern; `exec` leaves no shell between SSM's time-out and the agent.
 */
export function commandDocument(command: CommandName) {
  return {
    schemaVersion: "2.2",
    description: `AutoPatch: ${command} on this host`,
    parameters: {
      [REQUEST_PARAMETER]: {
        type: "String",
        description: "One request in base64url",
        allowedPattern: REQUEST_PATTERN,
      },
    },
    mainSteps: COMMANDS[command].map((step) => ({
      action: "aws:runShellScript",
      name: step,
      inputs: {
        timeoutSeconds: String(STEP_TIMEOUT_SECONDS[step]),
        runCommand: [`exec ${HOST_PATHS.executable} step ${step} --request '{{ ${REQUEST_PARAMETER} }}'`],
      },
    })),
  };
}
