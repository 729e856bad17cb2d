import {
  type Command,
  type CommandInvocation,
  type CommandPlugin,
  GetCommandInvocationCommand,
  InvocationDoesNotExist,
  ListCommandInvocationsCommand,
  SendCommandCommand,
  SSMClient,
  SSMServiceException,
} from "@aws-sdk/client-ssm";
import type { FleetSettings } from "../../contract/environment.ts";
import { REQUEST_PARAMETER } from "../../contract/names.ts";
import { OPERATION_SECONDS, type Order, operationDocument } from "../../contract/operations.ts";
import { encodeRequest } from "../../contract/request.ts";
import type { Invocation, InvokedStep } from "../fleet/invocation.ts";
import type { Sending } from "../fleet/sending.ts";

/** SSM puts standard error after standard output, behind this line. */
const STDERR = /(^|\n)-{10}ERROR-{7}\n/;

/** SSM took a command, or answered each time it was asked that it would not. */
export type Taken = { readonly commandId: string } | { readonly refusal: SSMServiceException };

/** Run Command. */
export class RunCommand {
  readonly #ssm = new SSMClient({});

  /**
   * Sends one command. SendCommand knows no client token: a call that is retried after its answer was lost sends twice. That is why a
   * host answers the same run, step and attempt only once, and gives its recorded result to whoever asks again.
   * @returns the refusal, `InvalidInstanceId` when a single one of the hosts cannot be reached
   * @throws what leaves open whether it was taken: no answer, or an error of the service's own, in any of the SDK's tries
   */
  async send(sending: Sending, instanceIds: readonly string[]): Promise<Taken> {
    const command = new SendCommandCommand({
      DocumentName: sending.document,
      InstanceIds: [...instanceIds],
      Parameters: { [REQUEST_PARAMETER]: [encodeRequest(sending.request)] },
      Comment: sending.comment,
      TimeoutSeconds: sending.deliverySeconds,
      MaxConcurrency: sending.maxConcurrency,
      MaxErrors: sending.maxErrors,
    });
    let open = false;
    // Innermost: it sees every try, where the client shows only the last.
    command.middlewareStack.add(
      (next) => async (args) => {
        try {
          return await next(args);
        } catch (error) {
          open ||= !isRefusal(error);
          throw error;
        }
      },
      { step: "finalizeRequest", priority: "low", name: "noteOpenTries" },
    );
    try {
      const { Command } = await this.#ssm.send(command);
      return { commandId: idOf(Command, sending.document) };
    } catch (error) {
      if (open || !isRefusal(error)) throw error;
      return { refusal: error };
    }
  }

  /** Has hosts do an operation. @returns the command's id @throws what SSM refuses it with, for all of the hosts */
  async order(
    { operation, instance_ids }: Order,
    { documentPrefix, sending }: Pick<FleetSettings, "documentPrefix" | "sending">,
  ): Promise<string> {
    const document = `${documentPrefix}${operationDocument(operation)}`;
    const { Command } = await this.#ssm.send(
      new SendCommandCommand({
        DocumentName: document,
        InstanceIds: [...instance_ids],
        Comment: `AutoPatch ${operation}`,
        TimeoutSeconds: OPERATION_SECONDS,
        MaxConcurrency: sending.maxConcurrency,
        MaxErrors: sending.maxErrors,
      }),
    );
    return idOf(Command, document);
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

  /** A host's standard output of a step, up to 24,000 characters; undefined when SSM does not know the invocation (yet). */
  async standardOutput(commandId: string, instanceId: string, step: string): Promise<string | undefined> {
    try {
      const answer = await this.#ssm.send(
        new GetCommandInvocationCommand({ CommandId: commandId, InstanceId: instanceId, PluginName: step }),
      );
      return answer.StandardOutputContent;
    } catch (error) {
      if (error instanceof InvocationDoesNotExist) return undefined;
      throw error;
    }
  }
}

/** The service's answer that it did nothing. */
function isRefusal(error: unknown): error is SSMServiceException {
  return error instanceof SSMServiceException && error.$fault === "client";
}

function idOf(command: Command | undefined, document: string): string {
  if (command?.CommandId === undefined) throw new Error(`SendCommand ${document}: the answer has no command id`);
  return command.CommandId;
}

function toInvocation(invocation: CommandInvocation): Invocation {
  return {
    instanceId: invocation.InstanceId ?? "",
    status: statusOf(invocation),
    steps: Object.fromEntries((invocation.CommandPlugins ?? []).map((plugin) => [plugin.Name ?? "", toStep(plugin)])),
  };
}

function toStep(plugin: CommandPlugin): InvokedStep {
  const { ResponseStartDateTime: from, ResponseFinishDateTime: to } = plugin;
  return {
    status: statusOf(plugin),
    exitCode: plugin.ResponseCode ?? -1,
    started: from !== undefined,
    ...(from === undefined || to === undefined ? {} : { seconds: Math.round((to.getTime() - from.getTime()) / 1_000) }),
    stdout: (plugin.Output ?? "").split(STDERR)[0] ?? "",
  };
}

/** In one word: SSM writes `Delivery Timed Out` here and `DeliveryTimedOut` there. */
function statusOf({
  StatusDetails,
  Status,
}: {
  readonly StatusDetails?: string | undefined;
  readonly Status?: string | undefined;
}): string {
  return (StatusDetails ?? Status ?? "Pending").replaceAll(" ", "");
}
