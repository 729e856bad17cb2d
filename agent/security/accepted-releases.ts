import * as z from "zod";
import { Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { ReleaseSeen } from "../../contract/release-seen.ts";
import { ownFolder, readOwn, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { addAccepted, findingOf, type ReleaseRecord } from "./release-record.ts";

const PATH = `${HOST_PATHS.state}/releases.json`;
const Accepted = z.object({ date: z.iso.datetime(), sha256: z.string(), acceptedAt: z.iso.datetime() });
const Releases = z.object({ format: z.literal(1), repositories: z.record(z.string(), z.array(Accepted)) });

/**
 * Holds Release files against those this host accepted before, then accepts them too: all or none.
 * @throws Failure `metadataStale`, `splitView`
 */
export function acceptReleases(machine: Machine, seen: readonly ReleaseSeen[], mirrorLagHours: number): void {
  ownFolder(machine, HOST_PATHS.state, 0o700);
  const before = read(machine);
  for (const one of seen) {
    const finding = findingOf(before, one, mirrorLagHours);
    if (finding === null) continue;
    const way = `If that is meant, take the repository out of ${PATH}`;
    throw new Failure(finding.code, `${finding.message}. ${way}`);
  }
  const repositories = addAccepted(before, seen, machine.clock.now());
  const text = `${JSON.stringify({ format: 1, repositories }, null, 2)}\n`;
  if (text !== readOwn(machine, PATH)) writeOwn(machine, PATH, text, 0o600);
}

function read(machine: Pick<Machine, "root">): ReleaseRecord {
  const text = readOwn(machine, PATH);
  if (text === null) return {};
  try {
    return Releases.parse(JSON.parse(text)).repositories;
  } catch (cause) {
    const what = "nobody can tell what this host accepted before. Mend it, or remove it to begin anew";
    throw new Failure("metadataStale", `${PATH} cannot be read: ${what}`, { cause });
  }
}
