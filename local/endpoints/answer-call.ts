import { randomUUID } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { AwsError, notModelled } from "./aws-error.ts";
import { type FaultPort, raiseFault } from "./fault.ts";
import { call } from "./protocol/call.ts";
import { credentialScope } from "./protocol/credential-scope.ts";
import { readJsonCall, writeJsonAnswer, writeJsonError } from "./protocol/json.ts";
import { readQueryCall, writeQueryAnswer, writeQueryError } from "./protocol/query.ts";
import type { AwsRequest, AwsResponse, Caller, Service } from "./protocol/request.ts";
import { isRpcCbor, readCborCall, writeCborAnswer, writeCborError } from "./protocol/rpc-cbor.ts";
import { answerS3, type S3Settings } from "./s3/answer.ts";
import { s3ErrorAnswer } from "./s3/call.ts";
import { answerLambda, type LambdaPort } from "./services/lambda.ts";

/** Everything the endpoint speaks for. */
export interface Services {
  readonly account: string;
  readonly callers: { find(accessKeyId: string): Caller | undefined };
  readonly s3: S3Settings;
  readonly functions: LambdaPort;
  readonly ssm: Service;
  readonly states: Service;
  readonly events: Service;
  readonly cloudwatch: Service;
  readonly sns: Service;
  readonly scaling: Service;
  readonly kms: Service;
  readonly sts: Service;
  readonly secrets: Service;
  readonly fault?: FaultPort | undefined;
  readonly log: (line: string) => void;
}

/** How a service is spoken to: reads a call, writes an answer or an error. */
interface Protocol {
  handle(request: AwsRequest): Promise<AwsResponse>;
  refuse(request: Unsigned, error: AwsError): AwsResponse;
}
type Unsigned = Omit<AwsRequest, "caller">;

/** Answers a request in the protocol of the service it was signed for; every refusal is an answer too. */
export async function answerCall(request: Unsigned, services: Services): Promise<AwsResponse> {
  const scope = credentialScope(request.headers.authorization, request.query);
  const protocol = protocolOf(scope?.service ?? "s3", request, services);
  const requestId = randomUUID();
  try {
    if (scope === null) throw new AwsError("AccessDenied", "Access Denied", { status: 403 });
    const caller = services.callers.find(scope.accessKeyId);
    if (caller === undefined) throw unknownKey(scope.service, scope.accessKeyId);
    const body = scope.service === "s3" ? request.body : unpacked(request);
    return withId(await protocol.handle({ ...request, body, caller }), requestId);
  } catch (error) {
    if (error instanceof AwsError) {
      if (error.status === 501) services.log(`endpoint: ${error.message}`);
      return withId(protocol.refuse(request, error), requestId);
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    services.log(`endpoint: ${scope?.service} ${request.method} ${request.path}: ${text}`);
    return withId(protocol.refuse(request, new AwsError("InternalFailure", text, { status: 500 })), requestId);
  }
}

/** Clients send larger bodies of PutMetricData compressed. For S3 the encoding belongs to the object. */
function unpacked({ headers, body }: Unsigned): Buffer {
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return body;
  if (encoding !== "gzip") throw notModelled(`a request body in the encoding ${encoding}`);
  try {
    return gunzipSync(body, { maxOutputLength: LARGEST_UNPACKED_BYTES });
  } catch (error) {
    throw new AwsError("SerializationException", `the gzip body: ${error instanceof Error ? error.message : error}`);
  }
}

const LARGEST_UNPACKED_BYTES = 16 * 1024 * 1024;

function withId(answer: AwsResponse, requestId: string): AwsResponse {
  return { ...answer, headers: { ...answer.headers, "x-amzn-requestid": requestId, "x-amz-request-id": requestId } };
}

function unknownKey(service: string, key: string): AwsError {
  if (service === "s3") {
    const message = "The AWS Access Key Id you provided does not exist in our records.";
    return new AwsError("InvalidAccessKeyId", message, { status: 403, fields: { AWSAccessKeyId: key } });
  }
  const code = service === "sns" || service === "sts" ? "InvalidClientTokenId" : "UnrecognizedClientException";
  return new AwsError(code, "The security token included in the request is invalid.", { status: 403 });
}

function protocolOf(signingName: string, request: Unsigned, services: Services): Protocol {
  switch (signingName) {
    case "s3":
      return {
        handle: (signed) => answerS3(signed, services.s3),
        refuse: ({ method }, error) => s3ErrorAnswer(method, error),
      };
    case "lambda":
      return {
        handle: (signed) => {
          raiseFault(services.fault, signed.caller, "lambda", "Invoke");
          return answerLambda(signed, services.functions);
        },
        refuse: (_request, { code, message, status }) => ({
          status,
          headers: { "content-type": "application/json", "x-amzn-errortype": code },
          body: JSON.stringify({ message }),
        }),
      };
    case "ssm":
      return json(services.ssm, services.fault);
    case "states":
      return json(services.states, services.fault);
    case "events":
      return json(services.events, services.fault);
    case "secretsmanager":
      return json(services.secrets, services.fault);
    case "kms":
      return json(services.kms, services.fault);
    case "monitoring":
      return isRpcCbor(request) ? cbor(services.cloudwatch, services.fault) : json(services.cloudwatch, services.fault);
    case "sns":
      return query(services.sns, services.fault, "http://sns.amazonaws.com/doc/2010-03-31/");
    case "autoscaling":
      return query(services.scaling, services.fault, "http://autoscaling.amazonaws.com/doc/2011-01-01/");
    case "sts":
      return query(services.sts, services.fault, "https://sts.amazonaws.com/doc/2011-06-15/");
    default:
      return unknownService(signingName, request);
  }
}

function carryOut(
  service: Service,
  fault: FaultPort | undefined,
  operation: string,
  input: unknown,
  caller: Caller,
): Promise<unknown> {
  if (Object.hasOwn(service.operations, operation)) raiseFault(fault, caller, service.name, operation);
  return call(service, operation, input, caller);
}

function json(service: Service, fault: FaultPort | undefined): Protocol {
  return {
    handle: async (signed) => {
      const { operation, input } = readJsonCall(signed);
      return writeJsonAnswer(signed, await carryOut(service, fault, operation, input, signed.caller));
    },
    refuse: writeJsonError,
  };
}

function cbor(service: Service, fault: FaultPort | undefined): Protocol {
  return {
    handle: async (signed) => {
      const { operation, input } = readCborCall(signed);
      return writeCborAnswer(await carryOut(service, fault, operation, input, signed.caller));
    },
    refuse: (_request, error) => writeCborError(error),
  };
}

function query(service: Service, fault: FaultPort | undefined, namespace: string): Protocol {
  return {
    handle: async (signed) => {
      const { operation, input } = readQueryCall(signed);
      return writeQueryAnswer(operation, namespace, await carryOut(service, fault, operation, input, signed.caller));
    },
    refuse: (_request, error) => writeQueryError(namespace, error),
  };
}

/** Names the operation from wherever the service's protocol puts it. */
function unknownService(name: string, request: Unsigned): Protocol {
  const target = request.headers["x-amz-target"]?.split(".").at(-1);
  const action = new URLSearchParams(request.body.toString("utf8")).get("Action");
  const operation = target ?? action ?? `${request.method} ${request.path}`;
  const isQuery = target === undefined && action !== null;
  return {
    handle: () => Promise.reject(notModelled(`${name} ${operation}`)),
    refuse: (_request, error) => (isQuery ? writeQueryError("", error) : writeJsonError(request, error)),
  };
}
