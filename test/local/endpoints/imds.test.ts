import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { readInstance } from "../../../agent/host/instance.ts";
import { type Imds, openImds } from "../../../local/endpoints/imds/imds.ts";
import { ACCOUNT, HOST, HOST_USER_ID, REGION, type Running, runEndpoint } from "./running.ts";

const INSTANCE = "i-00000000000000001";
const START = Date.parse("2026-11-24T03:00:00.250Z");
let now = START;
let imds: Imds;
let running: Running;
beforeAll(async () => {
  running = await runEndpoint();
  imds = await openImds({
    instanceId: INSTANCE,
    account: ACCOUNT,
    region: REGION,
    role: "autopatch-host",
    credentials: HOST,
    now: () => new Date(now),
  });
});
afterEach(() => {
  now = START;
  vi.unstubAllEnvs();
});
afterAll(async () => {
  await imds.close();
  await running.stop();
});

const TTL = "x-aws-ec2-metadata-token-ttl-seconds";
const newToken = (seconds: string, more: Record<string, string> = {}) =>
  fetch(`${imds.url}/latest/api/token`, { method: "PUT", headers: { [TTL]: seconds, ...more } });
const get = async (path: string, token?: string) => {
  const headers: Record<string, string> = token === undefined ? {} : { "x-aws-ec2-metadata-token": token };
  const answer = await fetch(`${imds.url}/latest/${path}`, { headers });
  return [answer.status, await answer.text()] as const;
};

describe("instance metadata, version 2", () => {
  test("every value of a host, with a token", async () => {
    const answer = await newToken("60");
    const token = await answer.text();
    const values = await Promise.all(
      [
        "meta-data/instance-id",
        "meta-data/placement/region",
        "meta-data/placement/availability-zone",
        "meta-data/iam/security-credentials/",
        "meta-data/iam/security-credentials",
        "meta-data/iam/security-credentials/other-role",
        "user-data",
      ].map((path) => get(path, token)),
    );
    const [, credentials] = await get("meta-data/iam/security-credentials/autopatch-host", token);
    const [, document] = await get("dynamic/instance-identity/document", token);
    expect([answer.status, answer.headers.get(TTL)]).toEqual([200, "60"]);
    expect(values).toEqual([
      [200, INSTANCE],
      [200, REGION],
      [200, `${REGION}a`],
      [200, "autopatch-host"],
      [200, "autopatch-host"],
      [404, ""],
      [404, ""],
    ]);
    expect(JSON.parse(credentials)).toEqual({
      Code: "Success",
      LastUpdated: "2026-11-24T03:00:00Z",
      Type: "AWS-HMAC",
      AccessKeyId: HOST.accessKeyId,
      SecretAccessKey: HOST.secretAccessKey,
      Token: `session-of-${INSTANCE}`,
      Expiration: "2026-11-24T09:00:00Z",
    });
    expect(JSON.parse(document)).toEqual({
      accountId: ACCOUNT,
      availabilityZone: `${REGION}a`,
      instanceId: INSTANCE,
      region: REGION,
      version: "2017-09-30",
    });
  });

  test("without a token, with a wrong or an old one there is nothing", async () => {
    const token = await (await newToken("60")).text();
    const wrong = token.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    const before = await get("meta-data/instance-id", token);
    const refused = [await get("meta-data/instance-id"), await get("meta-data/instance-id", wrong)];
    now = START + 60_000;
    const old = await get("meta-data/instance-id", token);
    expect(before).toEqual([200, INSTANCE]);
    expect([...refused, old]).toEqual([
      [401, ""],
      [401, ""],
      [401, ""],
    ]);
  });

  test("where tokens are optional version 1 is answered, and a wrong token is still refused", async () => {
    const old = await openImds({
      instanceId: INSTANCE,
      account: ACCOUNT,
      region: REGION,
      role: "autopatch-host",
      credentials: HOST,
      httpTokens: "optional",
    });
    const ask = async (headers: Record<string, string>) => {
      const answer = await fetch(`${old.url}/latest/meta-data/instance-id`, { headers });
      return [answer.status, await answer.text()];
    };
    const answers = [await ask({}), await ask({ "x-aws-ec2-metadata-token": "wrong" })];
    await old.close();
    expect(answers).toEqual([
      [200, INSTANCE],
      [401, ""],
    ]);
  });

  test.each([
    ["no time", {}, "", 400],
    ["no number", {}, "soon", 400],
    ["no time at all", {}, "0", 400],
    ["more than six hours", {}, "21601", 400],
    ["what a proxy forwarded", { "x-forwarded-for": "10.0.0.1" }, "60", 403],
  ])("a token is refused: %s", async (_why, headers, seconds, status) => {
    const answer = await newToken(seconds, headers);
    expect([answer.status, await answer.text()]).toEqual([status, ""]);
  });

  test("the agent learns from it which instance it is on", async () => {
    const config = { AWS_REGION: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: imds.url };
    expect(await readInstance({}, config)).toEqual({ instanceId: INSTANCE, region: REGION });
  });

  test("the SDK's usual way to credentials ends here, and STS knows the host by them", async () => {
    now = Date.now();
    for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"]) vi.stubEnv(name, undefined);
    for (const name of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]) vi.stubEnv(name, "/dev/null");
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", undefined);
    vi.stubEnv("AWS_EC2_METADATA_SERVICE_ENDPOINT", imds.url);
    const sts = new STSClient({ endpoint: running.url, region: REGION, maxAttempts: 1 });
    const { $metadata: _, ...identity } = await sts.send(new GetCallerIdentityCommand({}));
    expect(identity).toEqual({
      UserId: HOST_USER_ID,
      Account: ACCOUNT,
      Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/autopatch-host/${INSTANCE}`,
    });
  });
});
