import type { CommandResults, Wave } from "../../contract/run.ts";
import { PHASES, type Phase, type StepName } from "../../contract/steps.ts";

/** How often a batch's hosts begin one after the other: at 50 %, twice. SSM takes at least one at a time, and rounds a share down at worst. */
export function turnsOf(hosts: number, maxConcurrency: string): number {
  const value = Number.parseInt(maxConcurrency, 10);
  const atOnce = Math.max(1, maxConcurrency.endsWith("%") ? Math.floor((hosts * value) / 100) : Math.min(value, hosts));
  return Math.ceil(hosts / atOnce);
}

/**
 * Seconds that phases of a wave will take, from the longest chain of steps that any host of the run has shown so far; before one is seen,
 * from what is configured. Pure.
 */
export function estimateSeconds(
  phases: readonly Phase[],
  wave: Wave,
  seen: readonly CommandResults[],
  policy: { readonly waveMinutes: number; readonly maxConcurrency: string; readonly batchesAtOnce: number },
): number {
  const largest = Math.max(...wave.batches.map((ids) => ids.length));
  const turns = turnsOf(largest, policy.maxConcurrency) * Math.ceil(wave.batches.length / policy.batchesAtOnce);
  const chains = phases.map((phase) => longestChain(phase, seen) ?? (policy.waveMinutes * 60) / 2);
  return turns * chains.reduce((sum, seconds) => sum + seconds, 0);
}

/** Null when no host has gone through the phase. */
function longestChain(phase: Phase, seen: readonly CommandResults[]): number | null {
  const steps = new Set<StepName>(PHASES[phase]);
  const perHost = new Map<string, number>();
  for (const { instanceId, steps: answers } of seen.flatMap(({ results }) => results)) {
    const ms = answers.filter(({ step }) => steps.has(step)).reduce((sum, { durationMs }) => sum + durationMs, 0);
    perHost.set(instanceId, (perHost.get(instanceId) ?? 0) + ms);
  }
  const longest = Math.max(0, ...perHost.values());
  return longest === 0 ? null : longest / 1000;
}
