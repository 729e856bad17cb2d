/** A call refused as AWS refuses it. Carried to the caller in the shape of the protocol it spoke. */
export class AwsError extends Error {
  override readonly name = "AwsError";
  /** The exception's name on the wire: `InvalidInstanceId`, `NoSuchKey`. */
  readonly code: string;
  /** HTTP status. @default 400 */
  readonly status: number;
  /** Further fields of the error document, as S3 gives `Key` and `BucketName`. */
  readonly fields: Readonly<Record<string, string>>;

  constructor(
    code: string,
    message: string,
    more: { readonly status?: number; readonly fields?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.code = code;
    this.status = more.status ?? 400;
    this.fields = more.fields ?? {};
  }
}

/** A value outside what the service's model allows. `field` in lower camel case, as the services name it. */
export function constraintError(field: string, value: unknown, constraint: string): AwsError {
  const shown = Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
  return new AwsError(
    "ValidationException",
    `1 validation error detected: Value '${shown}' at '${field}' failed to satisfy constraint: ${constraint}`,
  );
}

/** What the local stack does not do. Never passed over in silence. */
export function notModelled(what: string): AwsError {
  return new AwsError("NotModelledLocally", `${what} is not done by the local stack`, { status: 501 });
}
