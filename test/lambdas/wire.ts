import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** What a call is answered with; an error in the shape of its service. */
export class WireError extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, status = 400) {
    super(code);
    this.code = code;
    this.status = status;
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type: string;
  readonly etag?: string | undefined;
}

type Call = (input: Readonly<Record<string, unknown>>) => unknown;

/**
 * A loopback end for the handlers' SDK clients: S3 in memory, and the JSON calls that a test gives. A call that nobody gave fails by name.
 * It knows nothing of AutoPatch.
 */
export class Wire {
  readonly objects = new Map<string, string>();
  /** When an object was put, by its key, where a test says so; else it is now. */
  readonly putAt = new Map<string, string>();
  readonly calls = new Map<string, Call>();
  /** Says by which error S3 refuses a call, if it does. */
  refuseObject: (method: string, key: string) => string | undefined = () => undefined;
  /** Names of the calls that were made, S3 included. */
  readonly log: string[] = [];
  readonly #server = createServer((request, response) => {
    this.#answer(request).then(
      ({ status, body, type, etag }: Answer) =>
        response.writeHead(status, { "content-type": type, ...(etag === undefined ? {} : { etag }) }).end(body),
      (error) => response.writeHead(500).end(String(error)),
    );
  });

  async open(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** Forgets everything that was put, told and asked. */
  reset(): void {
    this.objects.clear();
    this.putAt.clear();
    this.calls.clear();
    this.refuseObject = () => undefined;
    this.log.length = 0;
  }

  /** The object as JSON. */
  json(key: string): unknown {
    return JSON.parse(this.objects.get(key) ?? "null");
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString("utf8");
    const target = request.headers["x-amz-target"];
    const isForm = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
    // The one REST call beside S3's.
    if (request.url === "/list-group-resources") return this.#rest("ListGroupResources", body);
    if (typeof target !== "string" && !isForm) return this.#s3(request, body);
    const form = isForm ? Object.fromEntries(new URLSearchParams(body)) : {};
    const name = isForm ? String(form.Action) : String(target).slice(String(target).lastIndexOf(".") + 1);
    this.log.push(name);
    const call = this.calls.get(name);
    if (call === undefined) throw new Error(`nobody answers ${name}`);
    try {
      const answer = await call(isForm ? form : (JSON.parse(body || "{}") as Record<string, unknown>));
      return isForm ? xml(200, String(answer)) : json(200, answer ?? {});
    } catch (error) {
      if (error instanceof WireError) return json(error.status, { __type: error.code, message: error.code });
      throw error;
    }
  }

  #rest(name: string, body: string): Answer {
    this.log.push(name);
    return json(200, this.calls.get(name)?.(JSON.parse(body) as Record<string, unknown>) ?? {});
  }

  #s3({ method, url, headers }: IncomingMessage, body: string): Answer {
    const { pathname, searchParams } = new URL(url ?? "/", "http://s3");
    const key = decodeURIComponent(pathname.split("/").slice(2).join("/"));
    this.log.push(`${method} ${key || searchParams.get("prefix")}`);
    const refusal = this.refuseObject(String(method), key || String(searchParams.get("prefix")));
    if (refusal !== undefined) return xml(refusal === "SlowDown" ? 503 : 403, `<Error><Code>${refusal}</Code></Error>`);
    if (searchParams.get("list-type") === "2") return xml(200, this.#list(searchParams.get("prefix") ?? ""));
    if (method === "PUT" && headers["if-none-match"] === "*" && this.objects.has(key))
      return xml(412, "<Error><Code>PreconditionFailed</Code></Error>");
    const expected = headers["if-match"];
    if (method === "PUT" && expected !== undefined && expected !== etagOf(this.objects.get(key)))
      return xml(412, "<Error><Code>PreconditionFailed</Code></Error>");
    if (method === "PUT") {
      this.objects.set(key, body);
      return xml(200, "");
    }
    const found = method === "GET" ? this.objects.get(key) : undefined;
    return found === undefined
      ? xml(404, "<Error><Code>NoSuchKey</Code></Error>")
      : { status: 200, body: found, type: "application/octet-stream", etag: etagOf(found) };
  }

  #list(prefix: string): string {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    return `<ListBucketResult>${keys.map((key) => `<Contents><Key>${key}</Key><LastModified>${this.putAt.get(key) ?? new Date().toISOString()}</LastModified></Contents>`).join("")}</ListBucketResult>`;
  }
}

function etagOf(content: string | undefined): string | undefined {
  return content === undefined ? undefined : `"${createHash("md5").update(content).digest("hex")}"`;
}

function json(status: number, value: unknown) {
  return { status, body: JSON.stringify(value), type: "application/x-amz-json-1.1" };
}

function xml(status: number, body: string) {
  return { status, body, type: "application/xml" };
}
