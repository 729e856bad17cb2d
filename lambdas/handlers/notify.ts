import { KEYS } from "../../contract/names.ts";
import { RunReport } from "../../contract/run.ts";
import { NotifyAnswer, NotifyMessage } from "../../contract/workflow.ts";
import { Notices } from "../aws/notices.ts";
import { RunStore } from "../aws/run-store.ts";
import { noticeOf } from "../fleet/notice.ts";
import { defineHandler } from "./define-handler.ts";

const notices = new Notices();

/** Tells people how the run ended. */
export const handler = defineHandler(
  NotifyMessage,
  NotifyAnswer,
  async ({ report: { runId, reportKey } }, { settings }) => {
    const report = await new RunStore(settings.bucket).read(reportKey, RunReport);
    if (report === undefined) throw new Error(`run ${runId}: its report is gone: there is no ${reportKey}`);
    const notice = noticeOf(report, { bucket: settings.bucket, reportPage: KEYS.reportPage(runId) });
    return { messageId: await notices.publish(settings.topicArn, notice) };
  },
);
