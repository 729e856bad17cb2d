import { StatesApiError } from "./errors.ts";

/** Which part of a list is asked for. `maxResults` 0 or absent means 100, the API's default; at most 1,000. */
export interface PageRequest {
  readonly maxResults?: number | undefined;
  readonly nextToken?: string | undefined;
}

/**
 * One page of a list. The token names the last item given, so that items added in between shift nothing.
 * @throws StatesApiError ValidationException, InvalidToken
 */
export function page<T>(
  items: readonly T[],
  idOf: (item: T) => string,
  request: PageRequest,
): { items: T[]; nextToken?: string } {
  const size = request.maxResults === undefined || request.maxResults === 0 ? 100 : request.maxResults;
  if (!Number.isInteger(size) || size < 0 || size > 1000) {
    throw new StatesApiError(
      "ValidationException",
      `Value '${request.maxResults}' at 'maxResults' must be from 0 to 1000`,
    );
  }
  let from = 0;
  if (request.nextToken !== undefined) {
    const last = Buffer.from(request.nextToken, "base64url").toString("utf8");
    from = items.findIndex((item) => idOf(item) === last) + 1;
    if (from === 0) throw new StatesApiError("InvalidToken", "Invalid Token: 'Invalid token'");
  }
  const part = items.slice(from, from + size);
  const end = part.at(-1);
  if (end === undefined || from + size >= items.length) return { items: part };
  return { items: part, nextToken: Buffer.from(idOf(end), "utf8").toString("base64url") };
}
