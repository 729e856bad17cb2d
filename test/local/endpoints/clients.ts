import { OPERATOR, REGION, type Running } from "./running.ts";

/** How an SDK client reaches the endpoint as this caller. One attempt: a refusal is the answer. */
export function clientOptions(running: Pick<Running, "url">, credentials: typeof OPERATOR = OPERATOR) {
  return { endpoint: running.url, region: REGION, credentials, maxAttempts: 1 };
}

/** An answer without what the SDK adds about the connection. */
export async function answer<T extends { $metadata: unknown }>(sending: Promise<T>): Promise<Omit<T, "$metadata">> {
  const { $metadata: _connection, ...rest } = await sending;
  return rest;
}
