import type { HistoryNotice } from "../../local/states/executions.ts";

interface State {
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly { readonly Next: string }[];
  readonly Catch?: readonly { readonly Next: string }[];
  readonly ItemProcessor?: Sequence;
}
export interface Sequence {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

/** The ways that executions took: from state to state, into Maps, and into their ends. */
export class Reached {
  readonly #ways = new Map<string, Set<string>>();
  /** State that was left by an event, by execution and the event's id. */
  readonly #left = new Map<string, Map<number, string>>();

  /** Takes in the next event of an execution. */
  note({ executionArn, stateMachineArn, event }: HistoryNotice): void {
    const left = this.#left.get(executionArn) ?? new Map<number, string>();
    this.#left.set(executionArn, left);
    const exited = nameIn(event.stateExitedEventDetails);
    if (exited !== undefined) left.set(event.id, exited);
    const entered = nameIn(event.stateEnteredEventDetails);
    if (entered === undefined) return;
    // The children of a Distributed Map are executions of their own, of `MACHINE/MAP`.
    const [machine = ""] = stateMachineArn.slice(stateMachineArn.lastIndexOf("-") + 1).split("/");
    const ways = this.#ways.get(machine) ?? new Set();
    ways.add(way(left.get(event.previousEventId) ?? BEGINNING, entered));
    this.#ways.set(machine, ways);
  }

  /** Those of one machine, by the last part of its name. */
  of(machine: string): ReadonlySet<string> {
    return this.#ways.get(machine) ?? new Set();
  }
}

const BEGINNING = "(beginning)";

function nameIn(details: unknown): string | undefined {
  return (details as { readonly name?: string } | undefined)?.name;
}

function way(from: string, to: string): string {
  return `${from} -> ${to}`;
}

/** Every way that a definition has: the beginning, each choice, each state's way on, each of its catches, and those inside its Maps. */
export function waysOf({ StartAt, States }: Sequence): string[] {
  const ways = Object.entries(States).flatMap(([from, { Next, Default, Choices = [], Catch = [], ItemProcessor }]) => {
    const targets = [Next, Default, ...[...Choices, ...Catch].map((branch) => branch.Next)];
    const inner = ItemProcessor === undefined ? [] : waysOf(ItemProcessor);
    return [...targets.filter((to) => to !== undefined).map((to) => way(from, to)), ...inner];
  });
  return [...new Set([way(BEGINNING, StartAt), ...ways])].sort();
}
