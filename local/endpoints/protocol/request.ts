/** What a call wants to do, as IAM looks at it. */
export interface AccessRequest {
  /** `s3:PutObject` */
  readonly action: string;
  /** ARN, or `*` for calls that know none. */
  readonly resource: string;
  /** Condition keys that the call itself sets: `ssm:resourceTag/…`, `s3:prefix`. */
  readonly context: Readonly<Record<string, string>>;
}

/** Who signed a request, as STS would name them. */
export interface Caller {
  readonly arn: string;
  /** `aws:userid`: for a host's role session `AROA…:i-…`. */
  readonly userId: string;
  /** Whether the caller's policies allow it. */
  allows(request: AccessRequest): boolean;
}

/** A request whose service and caller are known. */
export interface AwsRequest {
  readonly method: string;
  /** Decoded neither of percent signs nor of plus. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly caller: Caller;
}

export interface AwsResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** One operation: input in the API's own names, output likewise with dates as Date. Refusals are thrown as AwsError. */
export type Operation = (input: unknown, caller: Caller) => unknown;

/** The operations of one service that the local stack knows, by their API names. */
export interface Service {
  /** As IAM and the command line call it: `ssm`, `states`, `sns`. */
  readonly name: string;
  readonly operations: Readonly<Record<string, Operation>>;
  /** What the caller must be allowed to do for this, all of it. @default `<name>:<operation>` on `*` */
  access?(operation: string, input: unknown): readonly AccessRequest[];
}
