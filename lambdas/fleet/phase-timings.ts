import type { RunReport } from "../../contract/run.ts";
import { PHASES, type Phase, STEPS, type StepName } from "../../contract/steps.ts";

/** How long one phase of one wave took, from its first host's first step to its last host's last. */
export interface PhaseTiming {
  readonly wave: string;
  readonly phase: Phase;
  readonly hosts: number;
  readonly ms: number;
}

/** How long hosts took for one step. */
export interface StepTiming {
  readonly step: StepName;
  readonly hosts: number;
  /** Milliseconds: half of the hosts took no longer, and 95 of 100. */
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** Pure: the phases that any host of a wave came to, in the order of the run. */
export function phaseTimings({ waves, hosts }: Pick<RunReport, "waves" | "hosts">): PhaseTiming[] {
  return waves.flatMap(({ index, name }) =>
    (Object.keys(PHASES) as Phase[]).flatMap((phase) => {
      const steps = hosts
        .filter(({ wave }) => wave === index)
        .map(({ steps }) => steps.filter(({ step }) => (PHASES[phase] as readonly StepName[]).includes(step)))
        .filter((own) => own.length > 0);
      if (steps.length === 0) return [];
      const spans = steps.flat().map(({ startedAt, durationMs }) => spanOf(startedAt, durationMs));
      return [{ wave: name, phase, hosts: steps.length, ms: lengthOf(spans) }];
    }),
  );
}

/** Pure: the steps that any host did, in the order of a host's life. */
export function stepTimings({ hosts }: Pick<RunReport, "hosts">): StepTiming[] {
  return STEPS.flatMap((step) => {
    const times = hosts
      .flatMap(({ steps }) => steps.filter((one) => one.step === step).map(({ durationMs }) => durationMs))
      .sort((a, b) => a - b);
    if (times.length === 0) return [];
    const at = (share: number) => times[Math.ceil(share * times.length) - 1] ?? 0;
    return [{ step, hosts: times.length, p50: at(0.5), p95: at(0.95), max: at(1) }];
  });
}

/** Milliseconds since 1970. */
export function spanOf(startedAt: string, durationMs: number): { readonly from: number; readonly to: number } {
  const from = Date.parse(startedAt);
  return { from, to: from + durationMs };
}

function lengthOf(spans: readonly { readonly from: number; readonly to: number }[]): number {
  const from = spans.reduce((least, span) => Math.min(least, span.from), Number.POSITIVE_INFINITY);
  return spans.reduce((most, span) => Math.max(most, span.to), from) - from;
}
