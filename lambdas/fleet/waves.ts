import type { BatchItem, Host, Wave, WavePolicy } from "../../contract/run.ts";

/** What one SendCommand addresses at most. */
export const BATCH_SIZE = 50;

/**
 * Divides hosts into waves: the canary, then shares of those that remain, the last taking all that are left. Pure: the same hosts in the
 * same order give the same waves. Waves without hosts are left out.
 */
export function planWaves(hosts: readonly Host[], policy: WavePolicy): Wave[] {
  let rest = hosts.map(({ instanceId }) => instanceId);
  const take = (count: number): string[] => {
    const taken = rest.slice(0, count);
    rest = rest.slice(count);
    return taken;
  };
  const groups = [take(policy.canary)];
  for (const [index, share] of policy.steps.entries()) {
    groups.push(take(index === policy.steps.length - 1 ? rest.length : Math.ceil(rest.length * share)));
  }
  return groups
    .filter((group) => group.length > 0)
    .map((group, index) => ({ index, name: index === 0 ? "canary" : `wave ${index}`, batches: batches(group) }));
}

function batches(ids: readonly string[]): string[][] {
  const count = Math.ceil(ids.length / BATCH_SIZE);
  return Array.from({ length: count }, (_, index) => ids.slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE));
}

/** The items of a wave's Distributed Map; of each batch only the hosts that `keep` lets through, and no batch without any. */
export function batchItems(runId: string, wave: Wave, keep: (instanceId: string) => boolean = () => true): BatchItem[] {
  return wave.batches
    .map((ids, batch) => ({ runId, wave: wave.index, batch, instanceIds: ids.filter(keep) }))
    .filter(({ instanceIds }) => instanceIds.length > 0);
}
