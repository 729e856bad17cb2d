import { z } from "zod";
import type { RunCommand } from "../../run-command/service/run-command.ts";
import { on, operation } from "../protocol/call.ts";
import type { Service } from "../protocol/request.ts";
import { complianceAccess, complianceOperations } from "./compliance.ts";

const text = z.string();
const page = { MaxResults: z.number().optional(), NextToken: text.optional() };

const Named = z.object({
  DocumentName: text.optional(),
  Name: text.optional(),
  InstanceIds: z.array(text).optional(),
  Targets: z.array(z.object({ Key: text, Values: z.array(text) })).optional(),
});

/** Systems Manager: Run Command, its documents and its nodes, and their compliance. */
export function ssmService(
  runCommand: RunCommand,
  { account, region }: { readonly account: string; readonly region: string },
): Service {
  const document = (name: string) =>
    name.startsWith("arn:") ? name : `arn:aws:ssm:${region}:${account}:document/${name}`;
  const compliance = {
    account,
    region,
    tagsOf: (id: string) => runCommand.nodesOf({ InstanceIds: [id], Targets: [] })[0]?.tags,
  };
  return {
    name: "ssm",
    access: (name, input) => {
      const complied = complianceAccess(name, input, compliance);
      if (complied !== undefined) return complied;
      const { DocumentName, Name, InstanceIds = [], Targets = [] } = Named.parse(input);
      const action = `ssm:${name}`;
      if (name === "GetDocument" && Name !== undefined) return [on(action, document(Name))];
      if (name !== "SendCommand" || DocumentName === undefined) return [on(action, "*")];
      // Both the document and every node: the tags of a node are conditions on the node alone.
      const nodes = runCommand.nodesOf({ InstanceIds, Targets }).map(({ instanceId, tags }) => ({
        action,
        resource: `arn:aws:ec2:${region}:${account}:instance/${instanceId}`,
        context: Object.fromEntries(Object.entries(tags).map(([key, value]) => [`ssm:resourceTag/${key}`, value])),
      }));
      return [on(action, document(DocumentName)), ...nodes];
    },
    operations: {
      SendCommand: (input) => runCommand.sendCommand(input),
      ListCommands: operation(
        z.strictObject({ CommandId: text.optional(), InstanceId: text.optional(), ...page }),
        (request) => runCommand.listCommands(request),
      ),
      ListCommandInvocations: operation(
        z.strictObject({
          CommandId: text.optional(),
          InstanceId: text.optional(),
          Details: z.boolean().optional(),
          Filters: z.array(z.strictObject({ key: text, value: text })).optional(),
          ...page,
        }),
        (request) => runCommand.listCommandInvocations(request),
      ),
      GetCommandInvocation: operation(
        z.strictObject({ CommandId: text, InstanceId: text, PluginName: text.optional() }),
        (request) => runCommand.getCommandInvocation(request),
      ),
      CancelCommand: operation(z.strictObject({ CommandId: text, InstanceIds: z.array(text).optional() }), (request) =>
        runCommand.cancelCommand(request),
      ),
      DescribeInstanceInformation: operation(
        z.strictObject({
          Filters: z.array(z.strictObject({ Key: text, Values: z.array(text) })).optional(),
          InstanceInformationFilterList: z.array(z.strictObject({ key: text, valueSet: z.array(text) })).optional(),
          ...page,
        }),
        (request) => runCommand.describeInstanceInformation(request),
      ),
      GetDocument: operation(z.strictObject({ Name: text }), (request) => runCommand.getDocument(request)),
      ListDocuments: operation(z.strictObject(page), (request) => runCommand.listDocuments(request)),
      ...complianceOperations(compliance),
    },
  };
}
