/** What a Signature Version 4 says about itself. The signature is not checked: the endpoints listen on the loopback interface alone. */
export interface CredentialScope {
  readonly accessKeyId: string;
  readonly region: string;
  /** The signing name: `ssm`, `monitoring`, `states`, `s3`. */
  readonly service: string;
}

/** Reads the scope from the Authorization header or a presigned address; null when the request is not signed. */
export function credentialScope(authorization: string | undefined, query: URLSearchParams): CredentialScope | null {
  const credential =
    /^AWS4-HMAC-SHA256 .*?Credential=([^,\s]+)/.exec(authorization ?? "")?.[1] ?? query.get("X-Amz-Credential");
  const [accessKeyId, , region, service] = credential?.split("/") ?? [];
  if (accessKeyId === undefined || region === undefined || service === undefined) return null;
  return { accessKeyId, region, service };
}
