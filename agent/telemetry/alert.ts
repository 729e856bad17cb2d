import { hostname } from "node:os";
import type { Config } from "../host/config.ts";
import { readInstance } from "../host/instance.ts";
import type { Machine } from "../host/machine.ts";
import type { Notice } from "../host/sns.ts";

/** What became of an alert. Whoever raised it has a result of its own, which a topic that cannot be reached must not hide. */
export interface Alert {
  readonly topicArn: string;
  /** Of the message; null when it could not be sent. */
  readonly messageId: string | null;
  /** Why it could not; null when it was. */
  readonly problem: string | null;
}

type AlertConfig = Pick<
  Config,
  "AUTOPATCH_ALERT_TOPIC" | "AWS_REGION" | "AWS_ENDPOINT_URL" | "AWS_EC2_METADATA_SERVICE_ENDPOINT"
>;

const LONGEST_SUBJECT = 100;

/**
 * Tells the subscribers of AUTOPATCH_ALERT_TOPIC. Never throws: what could not be sent is logged and told in the answer.
 * @param what a few words for the subject: `daily maintenance failed`
 * @returns null when the configuration names no topic
 */
export async function sendAlert(
  machine: Machine,
  config: AlertConfig,
  what: string,
  text: string,
): Promise<Alert | null> {
  const topicArn = config.AUTOPATCH_ALERT_TOPIC;
  if (topicArn === undefined) return null;
  try {
    const instanceId = await readInstance(process.env, config).then(
      (instance) => instance.instanceId,
      () => null,
    );
    // The SDK takes a tenth of a second to load: only who has something to tell pays for it.
    const { publishToTopic } = await import("../host/sns.ts");
    const messageId = await publishToTopic(topicArn, config, noticeOf(hostname(), instanceId, what, text));
    machine.log.info(`alerted ${topicArn}: ${what} (message ${messageId})`);
    return { topicArn, messageId, problem: null };
  } catch (error) {
    const { name, message } = error as Error;
    const problem = `${name}: ${message}`;
    machine.log.error(`${topicArn} could not be alerted: ${problem}. The host's role needs sns:Publish on it`);
    return { topicArn, messageId: null, problem };
  }
}

/** Pure. */
export function noticeOf(host: string, instanceId: string | null, what: string, text: string): Notice {
  const where = instanceId === null ? host : `${host} (${instanceId})`;
  const subject = `AutoPatch: ${where}: ${what}`.replace(/[^\x20-\x7e]/g, "?").slice(0, LONGEST_SUBJECT);
  return { subject, text: `${where}: ${what}\n\n${text}` };
}
