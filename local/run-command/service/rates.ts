import { constraintError } from "../../endpoints/aws-error.ts";

export const DEFAULT_MAX_CONCURRENCY = "50";
export const DEFAULT_MAX_ERRORS = "0";

/** How many invocations may run at once: a number, or a share of the targets rounded up to at least one. */
export function concurrencyOf(maxConcurrency: string, targets: number): number {
  if (!/^([1-9][0-9]*|[1-9][0-9]?%|100%)$/.test(maxConcurrency)) {
    throw constraintError(
      "maxConcurrency",
      maxConcurrency,
      "Member must satisfy regular expression pattern: ^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$",
    );
  }
  return Math.max(1, Math.ceil(amount(maxConcurrency, targets)));
}

/** How many errors are allowed before nothing more is sent: a number, or a share of the targets rounded down. */
export function allowedErrorsOf(maxErrors: string, targets: number): number {
  if (!/^([1-9][0-9]*|0|[1-9]?[0-9]%|100%)$/.test(maxErrors)) {
    throw constraintError(
      "maxErrors",
      maxErrors,
      "Member must satisfy regular expression pattern: ^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$",
    );
  }
  return Math.floor(amount(maxErrors, targets));
}

function amount(text: string, targets: number): number {
  return text.endsWith("%") ? (Number(text.slice(0, -1)) * targets) / 100 : Number(text);
}
