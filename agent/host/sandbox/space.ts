import { mkdirSync, readFileSync, statfsSync } from "node:fs";
import { SandboxFailure } from "./failure.ts";

const OVERLAYFS = 0x794c7630;
const TMPFS = 0x01021994;

/** What is known of a folder in which upper layers could lie. */
export interface SpaceCandidate {
  readonly path: string;
  readonly fileSystem: "tmpfs" | "overlay" | "disk";
  /** Bytes that may be written there; for tmpfs never more than half of the memory that is free. */
  readonly availableBytes: number;
}

export interface ChosenSpace {
  readonly path: string;
  readonly reason: string;
}

/** Looks at a folder (made when missing, for the owner only) and at the memory behind it. */
export function measureSpace(path: string): SpaceCandidate {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { type, bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  if (type === OVERLAYFS) return { path, fileSystem: "overlay", availableBytes: free };
  if (type !== TMPFS) return { path, fileSystem: "disk", availableBytes: free };
  return { path, fileSystem: "tmpfs", availableBytes: Math.min(free, Math.floor(memoryAvailable() / 2)) };
}

/**
 * The first candidate with room. Pure. An upper layer cannot lie on another overlay, so those are passed over.
 * @throws SandboxFailure `spaceMissing` naming every candidate, what it has and how much is missing.
 */
export function chooseSpace(candidates: readonly SpaceCandidate[], neededBytes: number): ChosenSpace {
  const fits = candidates.find((one) => one.fileSystem !== "overlay" && one.availableBytes >= neededBytes);
  if (fits !== undefined) {
    const kind = fits.fileSystem === "tmpfs" ? "memory" : "a real file system";
    return {
      path: fits.path,
      reason: `${kind} with ${megabytes(fits.availableBytes)} free, ${megabytes(neededBytes)} needed`,
    };
  }
  const why = candidates.map((one) =>
    one.fileSystem === "overlay"
      ? `  ${one.path} lies on an overlay, which cannot carry an upper layer`
      : `  ${one.path} has ${megabytes(one.availableBytes)}${one.fileSystem === "tmpfs" ? " (at most half of the free memory)" : ""}, ` +
        `${megabytes(neededBytes - one.availableBytes)} are missing`,
  );
  throw new SandboxFailure(
    "spaceMissing",
    `sandbox: no folder has the ${megabytes(neededBytes)} that the upper layers may need:\n${why.join("\n")}\n` +
      "  Free that much on one of them, or ask for fewer hosts.",
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_000_000).toLocaleString("en")} MB`;
}

function memoryAvailable(): number {
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}
