import type { HistoryNotice } from "../../local/states/executions.ts";

interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly { readonly Condition: string; readonly Next: string }[];
  readonly Catch?: readonly { readonly ErrorEquals: readonly string[]; readonly Next: string }[];
}

/** The ways that executions took: from state to state, and into their ends. */
export class Reached {
  readonly #ways = new Map<string, Set<string>>();
  readonly #at = new Map<string, string>();

  /** Takes in the next event of an execution. */
  note({ executionArn, stateMachineArn, event }: HistoryNotice): void {
    const entered = (event.stateEnteredEventDetails as { name?: string } | undefined)?.name;
    if (entered === undefined) return;
    const machine = stateMachineArn.slice(stateMachineArn.lastIndexOf("-") + 1);
    const ways = this.#ways.get(machine) ?? new Set();
    ways.add(way(this.#at.get(executionArn) ?? BEGINNING, entered));
    this.#ways.set(machine, ways);
    this.#at.set(executionArn, entered);
  }

  /** Those of one machine, by the last part of its name. */
  of(machine: string): ReadonlySet<string> {
    return this.#ways.get(machine) ?? new Set();
  }
}

const BEGINNING = "(beginning)";

function way(from: string, to: string): string {
  return `${from} -> ${to}`;
}

/** Every way that a definition's top level has: the beginning, each choice, each state's way on, and each of its catches. */
export function waysOf(definition: {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}): string[] {
  const ways = Object.entries(definition.States).flatMap(([from, { Next, Default, Choices = [], Catch = [] }]) => {
    const targets = [Next, Default, ...[...Choices, ...Catch].map((branch) => branch.Next)];
    return targets.filter((to) => to !== undefined).map((to) => way(from, to));
  });
  return [way(BEGINNING, definition.StartAt), ...ways].sort();
}
