import type { FailureCode } from "../../contract/failures.ts";
import type { CommandResults, SentCommand } from "../../contract/run.ts";
import { COMMANDS } from "../../contract/steps.ts";
import { refusedBy, withoutAnswer } from "./invocation.ts";

/**
 * What can be said of a command whose results nobody collected, because the machinery broke: of its hosts that they may be anywhere in
 * it, unless SSM had answered that it did not take it. Pure.
 */
export function unanswered(sent: SentCommand): CommandResults {
  const at = new Date(sent.sentAt ?? sent.deadline);
  const { item, command, attempt, commandId, dryRun } = sent;
  const asked = { runId: item.runId, command, attempt, dryRun };
  const [code, message] = sayOf(sent);
  const step = COMMANDS[command][0];
  const results = sent.instanceIds.map((instanceId) => ({
    instanceId,
    steps: [
      sent.undeliverable.includes(instanceId)
        ? refusedBy(instanceId, asked, at, sent.refusals?.[instanceId])
        : withoutAnswer(instanceId, { ...asked, step }, at, code, message),
    ],
  }));
  return { command, attempt, commandId, results, ...(sent.replaced === undefined ? {} : { replaced: sent.replaced }) };
}

function sayOf({ sending, commandId }: SentCommand): [FailureCode, string] {
  switch (sending) {
    case "refused":
      return ["sendRefused", "SSM took the command for no host, and the batch gave up"];
    case "underWay":
      return ["noAnswer", "the command was about to be sent when the batch broke: whether it went out is not known"];
    case undefined:
      return ["noAnswer", `command ${commandId} was sent, but the batch broke before its results were collected`];
  }
}
