import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import {
  ListComplianceItemsCommand,
  PutComplianceItemsCommand,
  type PutComplianceItemsCommandInput,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nodeOn, runCommandOver } from "../run-command/fleet.ts";
import { answer, clientOptions } from "./clients.ts";
import { ACCOUNT, HOST, REGION, type Running, runEndpoint } from "./running.ts";

const INSTANCE = "i-00000000000000001";
const ARN = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:ops/slack-AbCdEf`;
const unreachable = {
  exec: () => Promise.reject(new Error("nothing is delivered to this host")),
  reboot: () => Promise.reject(new Error("nothing is delivered to this host")),
  platform: { type: "linux", name: "Debian GNU/Linux", version: "12" },
  identity: { instanceId: INSTANCE, region: REGION },
} as const;
let running: Running;
beforeAll(async () => {
  const { service: runCommand } = runCommandOver([nodeOn(unreachable, 1, {})]);
  running = await runEndpoint(undefined, { runCommand, secrets: [{ arn: ARN, value: "https://hooks.example/x" }] });
});
afterAll(async () => {
  await running.stop();
});

describe("compliance", () => {
  const at = new Date("2026-01-02T03:20:00.000Z");
  const PUT: PutComplianceItemsCommandInput = {
    ResourceId: INSTANCE,
    ResourceType: "ManagedInstance",
    ComplianceType: "Custom:AutoPatch",
    ExecutionSummary: { ExecutionTime: at, ExecutionId: "run-1", ExecutionType: "Command" },
    ItemContentHash: "a",
    Items: [
      { Id: "AutoPatch", Title: "t", Severity: "HIGH", Status: "NON_COMPLIANT", Details: { Outcome: "blocked" } },
    ],
  };
  const ssm = () => new SSMClient(clientOptions(running));
  const put = (over: Partial<PutComplianceItemsCommandInput>) =>
    ssm().send(new PutComplianceItemsCommand({ ...PUT, ...over }));
  const listed = async () => {
    const { ComplianceItems } = await answer(
      ssm().send(new ListComplianceItemsCommand({ ResourceIds: [INSTANCE], ResourceTypes: ["ManagedInstance"] })),
    );
    return ComplianceItems;
  };

  test("a put replaces all that was known, unless its hash says that nothing changed", async () => {
    const { ItemContentHash: _hash, Items: [item] = [], ...common } = PUT;
    await put({});
    expect(await listed()).toEqual([{ ...common, ...item }]);

    await put({ Items: [] });
    expect(await listed()).toHaveLength(1);

    await put({ Items: [], ItemContentHash: "b" });
    expect(await listed()).toEqual([]);
  });

  test.each([
    [{ ResourceId: "i-00000000000000009" }, "InvalidResourceId"],
    [{ ResourceType: "Bucket" }, "InvalidResourceType"],
    [{ ComplianceType: "Custom: x" }, "ValidationException"],
    [
      { Items: [{ Severity: "HIGH" as const, Status: "COMPLIANT" as const, Title: "t".repeat(501) }] },
      "ValidationException",
    ],
    [
      { Items: [{ Severity: "HIGH" as const, Status: "COMPLIANT" as const, Details: { k: "v".repeat(4_097) } }] },
      "ValidationException",
    ],
  ])("refuses %j", async (over, name) => {
    await expect(put(over)).rejects.toMatchObject({ name });
  });

  test("not every caller may", async () => {
    const host = new SSMClient(clientOptions(running, HOST));
    await expect(host.send(new PutComplianceItemsCommand(PUT))).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining(
        `ssm:PutComplianceItems on resource: arn:aws:ec2:${REGION}:${ACCOUNT}:instance/`,
      ),
    });
  });
});

describe("secrets", () => {
  const get = (SecretId: string, credentials?: typeof HOST) =>
    answer(new SecretsManagerClient(clientOptions(running, credentials)).send(new GetSecretValueCommand({ SecretId })));

  test.each([ARN, ARN.replace(/-AbCdEf$/, ""), "ops/slack"])("by %s", async (id) => {
    expect(await get(id)).toMatchObject({ ARN, Name: "ops/slack", SecretString: "https://hooks.example/x" });
  });

  test("one that is not there, and one that the caller may not read", async () => {
    await expect(get("ops/other")).rejects.toMatchObject({ name: "ResourceNotFoundException" });
    await expect(get("ops/slack", HOST)).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining(`secretsmanager:GetSecretValue on resource: ${ARN}`),
    });
  });
});
