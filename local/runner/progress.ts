import type { StepName } from "../../contract/steps.ts";

/** What the run tells while it goes on. */
export type RunEvent =
  | { readonly kind: "state"; readonly state: string }
  | {
      readonly kind: "planned";
      readonly waves: readonly { readonly name: string; readonly hosts: readonly string[] }[];
    }
  | { readonly kind: "stepStarted"; readonly instanceId: string; readonly step: StepName }
  | {
      readonly kind: "stepEnded";
      readonly instanceId: string;
      readonly step: StepName;
      readonly outcome: string;
      readonly note: string;
    };

export interface HostProgress {
  readonly instanceId: string;
  readonly name: string;
  readonly wave: number | null;
  readonly step: StepName | null;
  readonly running: boolean;
  /** Outcome of the last step that ended. */
  readonly outcome: string | null;
  readonly note: string;
  /** Milliseconds since the run began at which it last changed. */
  readonly changedAt: number;
}

export interface Progress {
  readonly state: string;
  readonly waves: readonly string[];
  readonly hosts: readonly HostProgress[];
}

export function initialProgress(hosts: readonly { readonly instanceId: string; readonly name: string }[]): Progress {
  return {
    state: "starting",
    waves: [],
    hosts: hosts.map(({ instanceId, name }) => ({
      instanceId,
      name,
      wave: null,
      step: null,
      running: false,
      outcome: null,
      note: "",
      changedAt: 0,
    })),
  };
}

/** The progress after an event. Pure. @param at milliseconds since the run began */
export function advance(progress: Progress, event: RunEvent, at: number): Progress {
  switch (event.kind) {
    case "state":
      return { ...progress, state: event.state };
    case "planned":
      return {
        ...progress,
        waves: event.waves.map(({ name }) => name),
        hosts: progress.hosts.map((host) => {
          const wave = event.waves.findIndex(({ hosts }) => hosts.includes(host.instanceId));
          return { ...host, wave: wave === -1 ? null : wave };
        }),
      };
    case "stepStarted":
      return change(progress, event.instanceId, { step: event.step, running: true, note: "", changedAt: at });
    case "stepEnded":
      return change(progress, event.instanceId, {
        step: event.step,
        running: false,
        outcome: event.outcome,
        note: event.note,
        changedAt: at,
      });
  }
}

function change(progress: Progress, instanceId: string, fields: Partial<HostProgress>): Progress {
  return {
    ...progress,
    hosts: progress.hosts.map((host) => (host.instanceId === instanceId ? { ...host, ...fields } : host)),
  };
}
