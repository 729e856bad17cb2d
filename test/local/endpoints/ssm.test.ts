import {
  CancelCommandCommand,
  DescribeInstanceInformationCommand,
  GetCommandInvocationCommand,
  GetDocumentCommand,
  ListCommandInvocationsCommand,
  ListCommandsCommand,
  ListDocumentsCommand,
  PutParameterCommand,
  SendCommandCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneAsHost } from "../run-command/agent-host.ts";
import { SHELL_DOCUMENT, START } from "../run-command/fleet.ts";
import { answer, clientOptions } from "./clients.ts";
import { ACCOUNT, HOST, REGION, type Running, runEndpoint } from "./running.ts";

let host: Awaited<ReturnType<typeof cloneAsHost>>;
let running: Running;
beforeAll(async () => {
  host = await cloneAsHost();
  running = await runEndpoint(host);
});
afterAll(async () => {
  await running.stop();
  await host.close();
});

describe("Systems Manager", () => {
  const ssm = () => new SSMClient(clientOptions(running));
  const InstanceId = "i-00000000000000001";

  test("a command sent, awaited and read", async () => {
    const client = ssm();
    const { Command } = await answer(
      client.send(
        new SendCommandCommand({
          DocumentName: "Test-Shell",
          InstanceIds: [InstanceId],
          Parameters: { commands: ["echo over the wire"] },
        }),
      ),
    );
    const CommandId = Command?.CommandId ?? "";
    let invocation = await answer(client.send(new GetCommandInvocationCommand({ CommandId, InstanceId })));
    while (invocation.Status === "Pending" || invocation.Status === "InProgress") {
      invocation = await answer(client.send(new GetCommandInvocationCommand({ CommandId, InstanceId })));
    }
    const listed = await answer(client.send(new ListCommandInvocationsCommand({ CommandId, Details: true })));
    const commands = await answer(client.send(new ListCommandsCommand({ CommandId })));
    expect(Command).toMatchObject({ Status: "Pending", TargetCount: 1, RequestedDateTime: expect.any(Date) });
    expect(invocation).toMatchObject({
      Status: "Success",
      ResponseCode: 0,
      StandardOutputContent: "over the wire\n",
      PluginName: "run",
    });
    expect(listed.CommandInvocations?.[0]?.CommandPlugins).toEqual([
      {
        Name: "run",
        Status: "Success",
        StatusDetails: "Success",
        ResponseCode: 0,
        ResponseStartDateTime: expect.any(Date),
        ResponseFinishDateTime: expect.any(Date),
        Output: "over the wire\n",
        StandardOutputUrl: "",
        StandardErrorUrl: "",
        OutputS3Region: "",
        OutputS3BucketName: "",
        OutputS3KeyPrefix: "",
      },
    ]);
    expect(commands.Commands?.map((one) => one.CommandId)).toEqual([CommandId]);
    expect(await answer(client.send(new CancelCommandCommand({ CommandId })))).toEqual({});
  });

  test("nodes and documents", async () => {
    const client = ssm();
    const nodes = await answer(
      client.send(new DescribeInstanceInformationCommand({ Filters: [{ Key: "tag:Fleet", Values: ["web"] }] })),
    );
    const documents = await answer(client.send(new ListDocumentsCommand({})));
    const document = await answer(client.send(new GetDocumentCommand({ Name: "Test-Shell" })));
    expect(
      nodes.InstanceInformationList?.map((node) => [node.InstanceId, node.PingStatus, node.LastPingDateTime]),
    ).toEqual([[InstanceId, "Online", START]]);
    expect(documents.DocumentIdentifiers?.map((one) => one.Name)).toEqual([
      "AWS-RunShellScript",
      "Test-Shell",
      "Test-TwoSteps",
    ]);
    expect(document).toEqual({
      Name: "Test-Shell",
      CreatedDate: START,
      DocumentVersion: "1",
      Status: "Active",
      Content: SHELL_DOCUMENT.content,
      DocumentType: "Command",
      DocumentFormat: "JSON",
    });
  });

  test("refusals keep the service's names", async () => {
    const client = ssm();
    const Parameters = { commands: ["true"] };
    const send = (more: Record<string, unknown>) =>
      client.send(
        new SendCommandCommand({ DocumentName: "Test-Shell", InstanceIds: [InstanceId], Parameters, ...more }),
      );
    await expect(send({ InstanceIds: ["i-12345678"] })).rejects.toMatchObject({
      name: "InvalidInstanceId",
      message: `Instances [[i-12345678]] not in a valid state for account ${ACCOUNT}`,
      $metadata: { httpStatusCode: 400 },
    });
    await expect(send({ DocumentName: "None" })).rejects.toMatchObject({ name: "InvalidDocument" });
    await expect(send({ Parameters: { commands: ["a"], x: ["y"] } })).rejects.toMatchObject({
      name: "InvalidParameters",
    });
    await expect(client.send(new GetCommandInvocationCommand({ CommandId: "none", InstanceId }))).rejects.toMatchObject(
      { name: "InvocationDoesNotExist" },
    );
  });

  test("a host may not send commands", async () => {
    const client = new SSMClient(clientOptions(running, HOST));
    const sending = client.send(new SendCommandCommand({ DocumentName: "Test-Shell", InstanceIds: [InstanceId] }));
    await expect(sending).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: `User: arn:aws:sts::${ACCOUNT}:assumed-role/autopatch-host/i-00000000000000001 is not authorized to perform: ssm:SendCommand on resource: arn:aws:ssm:${REGION}:${ACCOUNT}:document/Test-Shell`,
    });
  });

  test("an operation that is not known is named, to the caller and in the log", async () => {
    await expect(ssm().send(new PutParameterCommand({ Name: "x", Value: "y" }))).rejects.toMatchObject({
      name: "NotModelledLocally",
      message: "ssm PutParameter is not done by the local stack",
    });
    expect(running.lines.at(-1)).toBe("endpoint: ssm PutParameter is not done by the local stack");
  });
});
