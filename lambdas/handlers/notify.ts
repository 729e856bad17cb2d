import { KEYS } from "../../contract/names.ts";
import { RunReport } from "../../contract/run.ts";
import { NotifyAnswer, NotifyMessage } from "../../contract/workflow.ts";
import { Notices } from "../aws/notices.ts";
import { RunStore } from "../aws/run-store.ts";
import { Secrets } from "../aws/secrets.ts";
import { Slack } from "../aws/slack.ts";
import { noticeOf } from "../fleet/notice.ts";
import { slackMessage } from "../fleet/slack-message.ts";
import { defineHandler, logLine } from "./define-handler.ts";

const notices = new Notices();
const slack = new Slack(new Secrets());

/** Tells people how the run ended. Slack comes second and decides nothing: what could not be told there is said. */
export const handler = defineHandler(
  NotifyMessage,
  NotifyAnswer,
  async ({ report: { runId, reportKey } }, { settings }) => {
    const { bucket, topicArn, documentPrefix, patchFleetArn = null, slackSecret } = settings;
    const report = await new RunStore(bucket).read(reportKey, RunReport);
    if (report === undefined) throw new Error(`run ${runId}: its report is gone: there is no ${reportKey}`);
    const [, , , region = "", account = ""] = topicArn.split(":");
    const reportPage = KEYS.reportPage(runId);
    const notice = noticeOf(report, { region, account, bucket, reportPage, documentPrefix, patchFleetArn });
    const messageId = await notices.publish(topicArn, notice);
    if (slackSecret === undefined) return { messageId };
    const told = await slack.post(slackSecret, slackMessage(notice));
    if (told !== "sent") logLine({ runId, message: `Slack: ${told}` });
    return { messageId, slack: told };
  },
);
