import type { BatchItem, Host, Wave, WavePolicy } from "../../contract/run.ts";
import { shareOf } from "./budget.ts";

/** What one SendCommand addresses at most. */
export const BATCH_SIZE = 50;

/**
 * Divides hosts into waves: the canary, then shares of those that remain, the last taking all that are left. Pure: the same hosts in the
 * same order give the same waves. Waves without hosts are left out.
 * @param proven the canary of an earlier run was healthy: everybody goes in the waves after it
 */
export function planWaves(hosts: readonly Host[], policy: WavePolicy, proven = false): Wave[] {
  let rest = hosts.map(({ instanceId }) => instanceId);
  const take = (count: number): string[] => {
    const taken = rest.slice(0, count);
    rest = rest.slice(count);
    return taken;
  };
  const groups = proven ? [] : [take(canaryHosts(policy, hosts.length))];
  for (const [index, share] of policy.steps.entries()) {
    groups.push(take(index === policy.steps.length - 1 ? rest.length : Math.ceil(rest.length * shareOf(share))));
  }
  const nameOf = (index: number) => (proven ? `wave ${index + 1}` : index === 0 ? "canary" : `wave ${index}`);
  return groups
    .filter((group) => group.length > 0)
    .map((group, index) => ({ index, name: nameOf(index), batches: batches(group) }));
}

/**
 * Hosts in an order of which every stretch holds each Availability Zone in about its share, so that no wave takes a zone as a whole while
 * another still waits. Pure. Within a zone the order stays; hosts of unknown zones count as one.
 */
export function spreadOverZones(hosts: readonly Host[]): Host[] {
  const places = [...Map.groupBy(hosts, ({ zone }) => zone ?? "").values()].flatMap((zone, rank) =>
    zone.map((host, index) => ({ host, rank, at: (index + 0.5) / zone.length })),
  );
  return places.sort((a, b) => a.at - b.at || a.rank - b.rank).map(({ host }) => host);
}

function canaryHosts({ canary }: WavePolicy, hosts: number): number {
  return typeof canary === "number" ? canary : Math.ceil(hosts * shareOf(canary));
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
