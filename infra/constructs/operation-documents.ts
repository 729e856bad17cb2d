import { ArnFormat, Stack } from "aws-cdk-lib";
import { CfnDocument } from "aws-cdk-lib/aws-ssm";
import { Construct } from "constructs";
import { OPERATION_SECONDS, OPERATIONS, OrderedOperation, operationDocument } from "../../contract/operations.ts";

/** One SSM document for each operation of the front door. */
export class OperationDocuments extends Construct {
  readonly arns: readonly string[];

  constructor(scope: Construct, id: string, props: { readonly prefix: string }) {
    super(scope, id);
    this.arns = OrderedOperation.options.map((operation) => {
      const resourceName = `${props.prefix}${operationDocument(operation)}`;
      new CfnDocument(this, operation, {
        name: resourceName,
        documentType: "Command",
        documentFormat: "JSON",
        updateMethod: "NewVersion",
        content: operationContent(operation),
      });
      return Stack.of(this).formatArn({
        service: "ssm",
        resource: "document",
        resourceName,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      });
    });
  }
}

/** Without a parameter: nothing that anybody sends can become part of the line. */
export function operationContent(operation: OrderedOperation) {
  const [program, ...words] = OPERATIONS[operation];
  return {
    schemaVersion: "2.2",
    description: `AutoPatch: ${operation}, as ordered by hand`,
    parameters: {},
    mainSteps: [
      {
        action: "aws:runShellScript",
        name: operation,
        inputs: {
          timeoutSeconds: String(OPERATION_SECONDS),
          runCommand: [`exec ${[`/usr/local/bin/${program}`, ...words].join(" ")}`],
        },
      },
    ],
  };
}
