import { KEYS } from "../../contract/names.ts";
import { Snapshot, WaveVerdict } from "../../contract/run.ts";
import { PHASES, type Phase } from "../../contract/steps.ts";
import { ReportAnswer, ReportMessage } from "../../contract/workflow.ts";
import { Metrics } from "../aws/metrics.ts";
import { RunStore } from "../aws/run-store.ts";
import { byHost } from "../fleet/host-outcome.ts";
import { fleetMetrics } from "../fleet/metrics.ts";
import { renderReportPage } from "../fleet/report-page.ts";
import { buildRunReport, reportKeysOf } from "../fleet/run-report.ts";
import { defineHandler } from "./define-handler.ts";
import { collectionsOf, hostReportsOf } from "./run-data.ts";

const metrics = new Metrics();
const phases = Object.keys(PHASES) as Phase[];

/** Writes the run as it was seen, for programs and for people, however it ended. */
export const handler = defineHandler(ReportMessage, ReportAnswer, async ({ runId, error }, { settings, now }) => {
  const store = new RunStore(settings.bucket);
  const snapshot = await store.read(KEYS.snapshot(runId), Snapshot);
  const waves = (snapshot?.waves ?? []).map(({ index }) => index);
  const collections = await collectionsOf(store, runId, waves);
  const verdictKeys = waves.flatMap((wave) => phases.map((phase) => KEYS.verdict(runId, wave, phase)));
  const verdicts = [...(await store.readAll(verdictKeys, WaveVerdict)).values()];
  const reports = await hostReportsOf(store, reportKeysOf(runId, collections));

  const report = buildRunReport({ runId, fleet: settings.fleet, snapshot, collections, verdicts, reports, error }, now);
  await store.write(KEYS.report(runId), report);
  await store.writeText(KEYS.reportPage(runId), renderReportPage(report), "text/html; charset=utf-8");
  await metrics.publish(fleetMetrics(settings.fleet, byHost(collections).values()), now);
  const { outcome, sentence } = report;
  return { runId, outcome, sentence, reportKey: KEYS.report(runId) };
});
