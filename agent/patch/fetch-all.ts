import { readdirSync, rmSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { LockEntry } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { closePartial, fetchDeb, fetchTogether, openPartial, type Wanted } from "../host/fetch-deb.ts";
import { onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import type { AptFacts } from "./apt-facts.ts";
import { archiveProblem } from "./archives.ts";
import type { StepContext } from "./step.ts";

/** For everything the step fetches; the SSM agent ends the step itself at 30 minutes. */
const FETCH_DEADLINE_MS = 25 * 60_000;
/** Downloaders at once, each with one connection for its group of files. */
const PARALLEL = 4;

/** Brings exactly these files into the archives: what is there already stays, whatever else is there goes. */
export async function fetchAll(
  context: StepContext,
  entries: readonly LockEntry[],
  facts: Pick<AptFacts, "uris">,
): Promise<void> {
  const { machine } = context;
  const wanted = new Set(entries.map((entry) => entry.file));
  for (const name of readdirSync(onMachine(machine, HOST_PATHS.archives))) {
    if (!wanted.has(name))
      rmSync(onMachine(machine, `${HOST_PATHS.archives}/${name}`), { recursive: true, force: true });
  }
  const uriOf = new Map(facts.uris.map((uri) => [uri.file, uri.uri]));
  const missing: Wanted[] = [];
  for (const entry of entries) {
    const path = `${HOST_PATHS.archives}/${entry.file}`;
    if ((await archiveProblem(machine, entry, path)) === null) continue;
    const uri = uriOf.get(entry.file);
    if (uri === undefined) throw new Failure("downloadFailed", `${entry.name}: no address to fetch it from`);
    missing.push({ uri, entry });
  }
  const until = machine.clock.now().getTime() + FETCH_DEADLINE_MS;
  openPartial(machine);
  try {
    const ends = await Promise.allSettled(inGroups(missing).map((group) => fetchGroup(machine, group, until)));
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  } finally {
    closePartial(machine);
  }
}

/** Files of like size together: the largest of a group is the most that any of its downloads may grow to. */
function inGroups(missing: readonly Wanted[]): Wanted[][] {
  const bySize = [...missing].sort((a, b) => a.entry.size - b.entry.size);
  const length = Math.ceil(bySize.length / PARALLEL);
  return Array.from({ length: PARALLEL }, (_, i) => bySize.slice(i * length, (i + 1) * length)).filter(
    (group) => group.length > 0,
  );
}

async function fetchGroup(machine: Machine, group: readonly Wanted[], until: number): Promise<void> {
  const left = () => until - machine.clock.now().getTime();
  // Half the time at most: what one bad file holds up is then still tried by itself.
  const came = group.length === 1 ? [] : await fetchTogether(machine, group, left() / 2);
  for (const { uri, entry } of group.filter((wanted) => !came.includes(wanted))) {
    await fetchDeb(machine, uri, entry, left());
  }
  for (const { entry } of group) machine.log.info(`fetched ${entry.name} ${entry.version} (${entry.size} bytes)`);
}
