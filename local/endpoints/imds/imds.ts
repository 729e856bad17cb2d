import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface ImdsOptions {
  readonly instanceId: string;
  readonly account: string;
  readonly region: string;
  /** Name of the instance role. */
  readonly role: string;
  /** Unique per host, so that the endpoint can tell who calls. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** As the instance's metadata options have it: `optional` answers version 1 too, which asks without a token. @default "required" */
  readonly httpTokens?: "required" | "optional";
  /** @default the machine's own */
  readonly now?: () => Date;
}

/** The instance metadata service of one host. */
export interface Imds {
  /** `http://127.0.0.1:PORT`, for AWS_EC2_METADATA_SERVICE_ENDPOINT */
  readonly url: string;
  close(): Promise<void>;
}

const TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER = "x-aws-ec2-metadata-token";
const LONGEST_TTL_SECONDS = 21_600;
const CREDENTIALS_SECONDS = 6 * 3600;

/** Opens the service on a port of its own on 127.0.0.1: a token first, or nothing, unless tokens are optional. */
export async function openImds(options: ImdsOptions): Promise<Imds> {
  const now = options.now ?? (() => new Date());
  const tokens = new Map<string, number>();
  const server = createServer((request, response) => {
    const { status, headers = {}, body = "" } = answer(request, options, tokens, now());
    response.writeHead(status, { "content-type": "text/plain", "content-length": Buffer.byteLength(body), ...headers });
    response.end(body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function answer(request: IncomingMessage, options: ImdsOptions, tokens: Map<string, number>, now: Date): Answer {
  const path = (request.url ?? "/").replace(/^\/latest\//, "").replace(/\/$/, "");
  const header = (name: string) => String(request.headers[name] ?? "");
  if (request.method === "PUT" && path === "api/token") {
    const seconds = Number(header(TTL_HEADER) || Number.NaN);
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > LONGEST_TTL_SECONDS) return { status: 400 };
    // The service hands no token to what a proxy forwarded.
    if (header("x-forwarded-for") !== "") return { status: 403 };
    for (const [token, until] of tokens) if (until <= now.getTime()) tokens.delete(token);
    const token = randomBytes(40).toString("base64url");
    tokens.set(token, now.getTime() + seconds * 1000);
    return { status: 200, headers: { [TTL_HEADER]: String(seconds) }, body: token };
  }
  const without = options.httpTokens === "optional" && request.headers[TOKEN_HEADER] === undefined;
  if (!without && !isValid(header(TOKEN_HEADER), tokens, now)) return { status: 401 };
  if (request.method !== "GET") return { status: 405 };
  const body = metadata(path, options, now);
  return body === undefined ? { status: 404 } : { status: 200, body };
}

function isValid(given: string, tokens: ReadonlyMap<string, number>, now: Date): boolean {
  return [...tokens].some(
    ([token, until]) =>
      given.length === token.length && timingSafeEqual(Buffer.from(given), Buffer.from(token)) && now.getTime() < until,
  );
}

function metadata(path: string, { instanceId, account, region, role, credentials }: ImdsOptions, now: Date) {
  const zone = `${region}a`;
  const values: Readonly<Record<string, string>> = {
    "meta-data/instance-id": instanceId,
    "meta-data/placement/region": region,
    "meta-data/placement/availability-zone": zone,
    "meta-data/iam/security-credentials": role,
    [`meta-data/iam/security-credentials/${role}`]: JSON.stringify({
      Code: "Success",
      LastUpdated: seconds(now),
      Type: "AWS-HMAC",
      AccessKeyId: credentials.accessKeyId,
      SecretAccessKey: credentials.secretAccessKey,
      Token: `session-of-${instanceId}`,
      Expiration: seconds(new Date(now.getTime() + CREDENTIALS_SECONDS * 1000)),
    }),
    "dynamic/instance-identity/document": JSON.stringify({
      accountId: account,
      availabilityZone: zone,
      instanceId,
      region,
      version: "2017-09-30",
    }),
  };
  return values[path];
}

const seconds = (date: Date) => date.toISOString().replace(/\.\d+Z$/, "Z");
