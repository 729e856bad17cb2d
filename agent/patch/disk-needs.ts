import type { Failure } from "../../contract/failures.ts";
import { Failure as StepFailure } from "../../contract/failures.ts";

/** Bytes and files a plan will put on a path before it is over. */
export interface DiskNeed {
  readonly path: string;
  readonly what: string;
  readonly bytes: number;
  readonly inodes: number;
}

/** A path's file system as it is now. */
export interface DiskSpace {
  readonly device: number;
  readonly freeBytes: number;
  readonly usedPercent: number;
  readonly freeInodes: number;
  readonly countsInodes: boolean;
}

/**
 * Whether everything fits, summed by file system. Pure.
 * @param spaceOf the file system of each need's path
 * @returns the first thing that does not, as a Failure `diskTooFull` or `inodesTooFew`; null when all fits
 */
export function diskProblem(needs: readonly DiskNeed[], spaceOf: (path: string) => DiskSpace): Failure | null {
  const byDevice = new Map<number, { space: DiskSpace; needs: DiskNeed[] }>();
  for (const need of needs) {
    const space = spaceOf(need.path);
    const known = byDevice.get(space.device) ?? { space, needs: [] };
    known.needs.push(need);
    byDevice.set(space.device, known);
  }
  for (const { space, needs: here } of byDevice.values()) {
    const bytes = here.reduce((sum, n) => sum + n.bytes, 0);
    const inodes = here.reduce((sum, n) => sum + n.inodes, 0);
    const parts = here.map((n) => `${n.what} at ${n.path} ${megabytes(n.bytes)}`).join(", ");
    if (bytes > space.freeBytes) {
      return new StepFailure(
        "diskTooFull",
        `${megabytes(bytes)} are needed (${parts}), ${megabytes(space.freeBytes)} are free: free ${bytes - space.freeBytes} bytes`,
      );
    }
    if (space.countsInodes && inodes > space.freeInodes) {
      return new StepFailure(
        "inodesTooFew",
        `${inodes} inodes are needed for ${here.map((n) => n.path).join(", ")}, ${space.freeInodes} are free`,
      );
    }
  }
  return null;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
