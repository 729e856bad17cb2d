import {
  type CommandInvocation,
  GetCommandInvocationCommand,
  InvocationDoesNotExist,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { REQUEST_PARAMETER } from "../../contract/names.ts";
import { encodeRequest } from "../../contract/request.ts";
import type { Invocation } from "../fleet/invocation.ts";
import type { Sending } from "../fleet/sending.ts";

/** SSM puts standard error after standard output, behind this line. */
const STDERR = /(^|\n)-{10}ERROR-{7}\n/;

/** Run Command. */
export class RunCommand {
  readonly #ssm = new SSMClient({});

  /**
   * Sends one command. SendCommand knows no client token: a call that is retried after its answer was lost sends twice. That is why a
   * host answers the same run, step and attempt only once, and gives its recorded result to whoever asks again.
   * @returns the command's id @throws InvalidInstanceId when a single one of the hosts cannot be reached
   */
  async send(sending: Sending, instanceIds: readonly string[]): Promise<string> {
    const { Command } = await this.#ssm.send(
      new SendCommandCommand({
        DocumentName: sending.document,
        InstanceIds: [...instanceIds],
        Parameters: { [REQUEST_PARAMETER]: [encodeRequest(sending.request)] },
        Comment: sending.comment,
        TimeoutSeconds: sending.deliverySeconds,
        MaxConcurrency: sending.maxConcurrency,
        MaxErrors: sending.maxErrors,
      }),
    );
    if (Command?.CommandId === undefined)
      throw new Error(`SendCommand ${sending.document}: the answer has no command id`);
    return Command.CommandId;
  }

  /** Every invocation of a command, over all pages. Output is cut at 2,500 characters. */
  async invocations(commandId: string): Promise<Invocation[]> {
    const found: Invocation[] = [];
    let NextToken: string | undefined;
    do {
      const page = await this.#ssm.send(
        new ListCommandInvocationsCommand({
          CommandId: commandId,
          Details: true,
          MaxResults: 50,
          ...(NextToken ? { NextToken } : {}),
        }),
      );
      found.push(...(page.CommandInvocations ?? []).map(toInvocation));
      NextToken = page.NextToken;
    } while (NextToken);
    return found;
  }

  /** A host's standard output, up to 24,000 characters; undefined when SSM does not know the invocation (yet). */
  async standardOutput(commandId: string, instanceId: string): Promise<string | undefined> {
    try {
      const answer = await this.#ssm.send(
        new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: instanceId }),
      );
      return answer.StandardOutputContent;
    } catch (error) {
      if (error instanceof InvocationDoesNotExist) return undefined;
      throw error;
    }
  }
}

function toInvocation(invocation: CommandInvocation): Invocation {
  const plugin = invocation.CommandPlugins?.[0];
  return {
    instanceId: invocation.InstanceId ?? "",
    status: (invocation.StatusDetails ?? invocation.Status ?? "Pending").replaceAll(" ", ""),
    exitCode: plugin?.ResponseCode ?? -1,
    started: plugin?.ResponseStartDateTime !== undefined,
    stdout: (plugin?.Output ?? "").split(STDERR)[0] ?? "",
  };
}
