import { AwsError } from "../../endpoints/aws-error.ts";

/** One page of a list. The token is the place where the next begins. @throws AwsError InvalidNextToken */
export function page<T>(
  items: readonly T[],
  request: { readonly NextToken?: string | undefined; readonly MaxResults?: number | undefined },
  most: number,
): { items: T[]; NextToken?: string } {
  const from = request.NextToken === undefined ? 0 : Number(Buffer.from(request.NextToken, "base64url").toString());
  if (!Number.isSafeInteger(from) || from < 0)
    throw new AwsError("InvalidNextToken", "The specified token is not valid.");
  const to = from + Math.min(request.MaxResults ?? most, most);
  const token = to < items.length ? { NextToken: Buffer.from(String(to)).toString("base64url") } : {};
  return { items: items.slice(from, to), ...token };
}
