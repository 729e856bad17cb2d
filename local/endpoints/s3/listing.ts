/** One line of a listing: a key, or a prefix that stands for all keys below it. */
export type Line<T> = { readonly item: T; readonly key: string } | { readonly prefix: string };

export interface ListingRequest {
  readonly prefix: string;
  /** Empty: none. */
  readonly delimiter: string;
  /** Lines after this key or common prefix. Empty: from the beginning. */
  readonly after: string;
  readonly maxKeys: number;
}

/**
 * A page of keys as S3 lists them: those with the prefix, those that share what comes up to the delimiter rolled up into one line.
 * @param items in the order of their keys
 */
export function listing<T extends { readonly key: string }>(
  items: readonly T[],
  { prefix, delimiter, after, maxKeys }: ListingRequest,
): { lines: Line<T>[]; isTruncated: boolean; last: string } {
  const lines: Line<T>[] = [];
  let last = "";
  for (const item of items) {
    const { key } = item;
    if (!key.startsWith(prefix)) continue;
    const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    const shown = cut < 0 ? key : key.slice(0, cut + delimiter.length);
    const isRolledUp = cut >= 0;
    if (isRolledUp && shown === last) continue;
    if (isBefore(shown, after)) continue;
    if (lines.length === maxKeys) return { lines, isTruncated: true, last };
    lines.push(isRolledUp ? { prefix: shown } : { item, key });
    last = shown;
  }
  return { lines, isTruncated: false, last };
}

function isBefore(shown: string, after: string): boolean {
  return after !== "" && Buffer.compare(Buffer.from(shown), Buffer.from(after)) <= 0;
}
