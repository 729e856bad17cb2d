import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answer, clientOptions } from "./clients.ts";
import { ACCOUNT, HOST, HOST_USER_ID, OPERATOR, REGION, type Running, runEndpoint } from "./running.ts";

let running: Running;
beforeAll(async () => {
  running = await runEndpoint();
});
afterAll(async () => {
  await running.stop();
});

describe("who calls", () => {
  test.each([
    [OPERATOR, "AIDAOPERATOR", `arn:aws:iam::${ACCOUNT}:user/operator`],
    [HOST, HOST_USER_ID, `arn:aws:sts::${ACCOUNT}:assumed-role/autopatch-host/i-00000000000000001`],
  ])("%j", async (credentials, UserId, Arn) => {
    const sts = new STSClient(clientOptions(running, credentials));
    expect(await answer(sts.send(new GetCallerIdentityCommand({})))).toEqual({ UserId, Account: ACCOUNT, Arn });
  });

  test("nobody", async () => {
    const sts = new STSClient(clientOptions(running, { accessKeyId: "AKIANOBODY", secretAccessKey: "x" }));
    await expect(sts.send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: "InvalidClientTokenId",
      $metadata: { httpStatusCode: 403 },
    });
  });
});

describe("Lambda and EventBridge, which no installed client speaks to", () => {
  const signed = (service: string) => ({
    authorization: `AWS4-HMAC-SHA256 Credential=${OPERATOR.accessKeyId}/20261124/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`,
  });
  const invoke = async (name: string, body: string, kind = "RequestResponse") => {
    const response = await fetch(`${running.url}/2015-03-31/functions/${name}/invocations`, {
      method: "POST",
      headers: { ...signed("lambda"), "x-amz-invocation-type": kind },
      body,
    });
    return [response.status, response.headers.get("x-amz-function-error"), await response.text()];
  };

  test("a function is invoked; its error is an answer", async () => {
    expect(await invoke("echo", '{"a":1}')).toEqual([200, null, '{"echoed":{"a":1}}']);
    expect(await invoke("echo", '{"fail":true}')).toEqual([
      200,
      "Unhandled",
      '{"errorType":"Error","errorMessage":"told to fail"}',
    ]);
    expect(await invoke("echo", "{}", "Event")).toEqual([202, null, ""]);
    expect(await invoke("none", "{}")).toEqual([404, null, '{"message":"Function not found: none"}']);
    expect(await invoke("echo", "{")).toEqual([400, null, '{"message":"Could not parse request body into json"}']);
  });

  test("events go to the bus; one that is malformed fails alone", async () => {
    const entry = {
      Source: "autopatch",
      DetailType: "Run finished",
      Detail: '{"runId":"r1"}',
      Time: 1_795_489_200,
      Resources: ["arn:x"],
    };
    const response = await fetch(running.url, {
      method: "POST",
      headers: {
        ...signed("events"),
        "x-amz-target": "AWSEvents.PutEvents",
        "content-type": "application/x-amz-json-1.1",
      },
      body: JSON.stringify({ Entries: [entry, { ...entry, Detail: "[]" }] }),
    });
    expect(await response.json()).toEqual({
      Entries: [
        { EventId: expect.any(String) },
        { ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." },
      ],
      FailedEntryCount: 1,
    });
    expect(running.putEvents).toEqual([
      {
        id: expect.any(String),
        source: "autopatch",
        "detail-type": "Run finished",
        account: ACCOUNT,
        region: REGION,
        time: "2026-11-24T03:00:00.000Z",
        resources: ["arn:x"],
        detail: { runId: "r1" },
      },
    ]);
  });

  test("a service that is not known is named", async () => {
    const response = await fetch(running.url, {
      method: "POST",
      headers: {
        ...signed("sqs"),
        "x-amz-target": "AmazonSQS.SendMessage",
        "content-type": "application/x-amz-json-1.0",
      },
      body: "{}",
    });
    expect([response.status, await response.json()]).toEqual([
      501,
      { __type: "NotModelledLocally", message: "sqs SendMessage is not done by the local stack" },
    ]);
  });
});
