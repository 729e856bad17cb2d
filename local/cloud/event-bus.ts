/** An event as EventBridge delivers it. */
export interface BusEvent {
  readonly id: string;
  readonly source: string;
  readonly "detail-type": string;
  readonly account: string;
  readonly region: string;
  readonly time: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface RuleTarget {
  readonly arn: string;
  readonly deadLetterArn: string | null;
  readonly maximumRetryAttempts: number;
}

export interface BusRule {
  readonly name: string;
  readonly pattern: unknown;
  readonly targets: readonly RuleTarget[];
}

/**
 * Whether an event pattern matches, for the operators that the stack uses: lists of values, `prefix`, `exists`, `anything-but`.
 * @throws Error naming an operator that is not known here
 */
export function matches(pattern: unknown, value: unknown): boolean {
  if (Array.isArray(pattern)) {
    const values = Array.isArray(value) ? value : [value];
    return pattern.some((wanted) => values.some((actual) => matchesOne(wanted, actual)));
  }
  if (typeof pattern !== "object" || pattern === null)
    throw new Error(`event pattern: ${JSON.stringify(pattern)} must be a list`);
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  return Object.entries(pattern).every(([key, inner]) => matches(inner, fields[key]));
}

function matchesOne(wanted: unknown, actual: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return wanted === actual;
  const [operator, argument] = Object.entries(wanted)[0] ?? [];
  switch (operator) {
    case "prefix":
      return typeof actual === "string" && actual.startsWith(String(argument));
    case "exists":
      return (actual !== undefined) === argument;
    case "anything-but":
      return actual !== undefined && ![argument].flat().includes(actual);
    default:
      throw new Error(`event pattern operator ${operator} is not known to the local stack`);
  }
}

/** Delivers an event to every target of every rule that matches; a target that fails is tried again, then the event goes to its dead-letter queue. */
export class EventBus {
  readonly #rules: readonly BusRule[];
  readonly #deliver: (targetArn: string, event: BusEvent) => Promise<{ ok: boolean; why: string }>;
  readonly #deadLetter: (queueArn: string, event: BusEvent, why: string) => void;
  readonly #sleep: (ms: number) => Promise<void>;

  constructor(
    rules: readonly BusRule[],
    ports: {
      deliver(targetArn: string, event: BusEvent): Promise<{ ok: boolean; why: string }>;
      deadLetter(queueArn: string, event: BusEvent, why: string): void;
      sleep(ms: number): Promise<void>;
    },
  ) {
    this.#rules = rules;
    this.#deliver = ports.deliver;
    this.#deadLetter = ports.deadLetter;
    this.#sleep = ports.sleep;
  }

  /** Resolves when every target has had it or it lies in a dead-letter queue. */
  async put(event: BusEvent): Promise<void> {
    const targets = this.#rules.filter((rule) => matches(rule.pattern, event)).flatMap((rule) => rule.targets);
    await Promise.all(targets.map((target) => this.#toTarget(target, event)));
  }

  async #toTarget(target: RuleTarget, event: BusEvent): Promise<void> {
    let why = "";
    for (let attempt = 0; attempt <= target.maximumRetryAttempts; attempt++) {
      if (attempt > 0) await this.#sleep(1000 * 2 ** (attempt - 1));
      const answer = await this.#deliver(target.arn, event);
      if (answer.ok) return;
      why = answer.why;
    }
    if (target.deadLetterArn !== null) this.#deadLetter(target.deadLetterArn, event, why);
  }
}
