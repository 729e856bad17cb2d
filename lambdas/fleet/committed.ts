import type { BatchItem, WavePolicy, WaveVerdict } from "../../contract/run.ts";
import type { WaveSeen } from "./assess.ts";
import { hostOutcome } from "./host-outcome.ts";
import { batchItems } from "./waves.ts";

/** The hosts of a wave that have committed and are not known to be gone or unwell, by batch. Pure. */
export function committedItems(runId: string, { wave, results }: Pick<WaveSeen, "wave" | "results">): BatchItem[] {
  return batchItems(runId, wave, (id) => hostOutcome(results.get(id) ?? {}, false) === "committed");
}

/**
 * What is still to be done with the hosts of a wave that committed. Pure. A wave that goes on is asked again after its bake; one that
 * stops the run goes back when that was asked for.
 * @param batches those that have such hosts
 */
export function fateOfCommitted(
  { phase, decision }: Pick<WaveVerdict, "phase" | "decision">,
  batches: number,
  onStop: WavePolicy["onStop"] = "keep",
): Exclude<WaveVerdict["committed"], undefined> | null {
  if (phase === "prepare" || batches === 0) return null;
  if (decision === "stop") return onStop === "rollBackWave" ? "rollBack" : null;
  return phase === "apply" ? "check" : null;
}
