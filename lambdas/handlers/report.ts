import { KEYS } from "../../contract/names.ts";
import { Snapshot, WaveVerdict } from "../../contract/run.ts";
import { PHASES, type Phase } from "../../contract/steps.ts";
import { ReportAnswer, ReportMessage } from "../../contract/workflow.ts";
import { FleetLease } from "../aws/fleet-lease.ts";
import { Metrics } from "../aws/metrics.ts";
import { RunStore } from "../aws/run-store.ts";
import { embeddedMetrics } from "../fleet/embedded-metrics.ts";
import { byHost } from "../fleet/host-outcome.ts";
import { fleetMetrics } from "../fleet/metrics.ts";
import { renderReportPage } from "../fleet/report-page.ts";
import { plainError } from "../fleet/run-error.ts";
import { buildRunReport, reportKeysOf } from "../fleet/run-report.ts";
import { approvalsOf } from "./approval-data.ts";
import { defineHandler, embedMetrics } from "./define-handler.ts";
import { collectionsOf, hostReportsOf } from "./run-data.ts";
import { tellCompliance } from "./tell-compliance.ts";

const metrics = new Metrics();
const phases = Object.keys(PHASES) as Phase[];

/** Writes the run as it was seen, for programs and for people, however it ended. */
export const handler = defineHandler(ReportMessage, ReportAnswer, async ({ runId, error }, surroundings) => {
  const { settings, now } = surroundings;
  const store = new RunStore(settings.bucket);
  // Nothing goes to a host any more: the fleet is free, whatever becomes of the report.
  await new FleetLease(store, settings.fleet).free(runId, now);
  const snapshot = await store.read(KEYS.snapshot(runId), Snapshot);
  const waves = (snapshot?.waves ?? []).map(({ index }) => index);
  const collections = await collectionsOf(store, runId, waves);
  const verdictKeys = waves.flatMap((wave) =>
    phases.flatMap((phase) => [KEYS.gateVerdict(runId, wave, phase), KEYS.verdict(runId, wave, phase)]),
  );
  const verdicts = [...(await store.readAll(verdictKeys, WaveVerdict)).values()];
  const reports = await hostReportsOf(store, reportKeysOf(runId, collections));

  const approvals = await approvalsOf(store, runId);
  const seen = {
    runId,
    fleet: settings.fleet,
    snapshot,
    collections,
    verdicts,
    reports,
    error: plainError(error),
    approvals,
  };
  const report = buildRunReport(seen, now);
  await store.write(KEYS.report(runId), report);
  await store.writeText(KEYS.reportPage(runId), renderReportPage(report), "text/html; charset=utf-8");
  const { fleet, instanceMetrics: perInstance = false } = settings;
  const told = { fleet, hosts: byHost(collections), dryRun: report.dryRun, perInstance, now };
  await metrics.publish(fleetMetrics(told), now);
  embedMetrics(embeddedMetrics(report, now));
  await tellCompliance(store, report, surroundings);
  const { outcome, sentence } = report;
  return { runId, outcome, sentence, reportKey: KEYS.report(runId) };
});
