import type { Json, JsonObject } from "./json.ts";

/**
 * The variables of one scope. A Parallel branch or an inline Map iteration reads its outer scopes but assigns only its
 * own; a child execution of a Distributed Map starts without any.
 */
export class Variables {
  private readonly outer: Variables | undefined;
  private readonly own = new Map<string, Json>();

  constructor(outer?: Variables) {
    this.outer = outer;
  }

  /** Everything visible from here, as it is now. */
  visible(): Record<string, Json> {
    return { ...this.outer?.visible(), ...Object.fromEntries(this.own) };
  }

  assign(values: JsonObject): void {
    for (const [name, value] of Object.entries(values)) this.own.set(name, value);
  }
}
