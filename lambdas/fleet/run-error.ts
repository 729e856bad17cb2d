type RunError = { readonly name: string; readonly cause: string };

/** An error as a state machine caught it, with what the Lambda said in place of the JSON that Step Functions wraps it in. Pure. */
export function plainError(error: RunError | null): RunError | null {
  if (error === null) return null;
  try {
    const { errorMessage } = JSON.parse(error.cause) as { errorMessage?: unknown };
    return typeof errorMessage === "string" ? { ...error, cause: errorMessage } : error;
  } catch {
    // Not every cause is JSON, and a long one is cut.
    return error;
  }
}
