import { SendTaskSuccessCommand, SFNClient } from "@aws-sdk/client-sfn";

/** Errors that mean that nobody waits for the token any more. */
const TOO_LATE = new Set(["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"]);

/** Wakes state machines that wait. */
export class TaskTokens {
  readonly #states = new SFNClient({});

  /** @returns false when nobody waits: it was answered before, or its wait is over */
  async answer(taskToken: string, output: unknown): Promise<boolean> {
    try {
      await this.#states.send(new SendTaskSuccessCommand({ taskToken, output: JSON.stringify(output) }));
      return true;
    } catch (error) {
      if (error instanceof Error && TOO_LATE.has(error.name)) return false;
      throw error;
    }
  }
}
