import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";

/** Starts state machines. */
export class Executions {
  readonly #states = new SFNClient({});

  /** @returns false when an execution of that name has been before, running or over */
  async start(stateMachineArn: string, name: string, input: unknown): Promise<boolean> {
    try {
      await this.#states.send(new StartExecutionCommand({ stateMachineArn, name, input: JSON.stringify(input) }));
      return true;
    } catch (error) {
      if (error instanceof ExecutionAlreadyExists) return false;
      throw error;
    }
  }
}
