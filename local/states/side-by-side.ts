import { Aborted } from "./errors.ts";

/**
 * Runs `work` for 0..count-1, at most `limit` at once, in order of index. After the first failure nothing more is started
 * and `onFailure` is called once, to stop what still runs; then, when all have come to rest, that failure is thrown.
 * `slot` (0..limit-1) says which of the parallel places a piece of work has.
 */
export async function sideBySide(
  count: number,
  limit: number,
  work: (index: number, slot: number) => Promise<void>,
  onFailure: (index: number) => void,
): Promise<void> {
  let next = 0;
  let failed: { readonly error: unknown } | undefined;
  const place = async (slot: number) => {
    while (next < count && failed === undefined) {
      const index = next++;
      try {
        await work(index, slot);
      } catch (error) {
        if (failed !== undefined) return;
        failed = { error };
        if (!(error instanceof Aborted)) onFailure(index);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, (_, slot) => place(slot)));
  if (failed !== undefined) throw (failed as { error: unknown }).error;
}
