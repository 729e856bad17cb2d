import { GetCalendarStateCommand, SSMClient } from "@aws-sdk/client-ssm";

/** SSM's change calendars. */
export class ChangeCalendars {
  readonly #ssm = new SSMClient({});

  /** `OPEN` only when all of them are. @throws what SSM refuses it with, an unknown calendar by name */
  async state(names: readonly string[]): Promise<{ readonly state: string; readonly nextTransition: string | null }> {
    if (names.length === 0) return { state: "OPEN", nextTransition: null };
    const answer = await this.#ssm.send(new GetCalendarStateCommand({ CalendarNames: [...names] }));
    return { state: answer.State ?? "unknown", nextTransition: answer.NextTransitionTime ?? null };
  }
}
