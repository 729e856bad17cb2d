import { Duration, Stack } from "aws-cdk-lib";
import {
  type Alarm,
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  Metric,
  Stats,
  TextWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { METRICS } from "../../contract/names.ts";
import { HOST_OUTCOMES } from "../../contract/run.ts";
import { PHASES, STEPS } from "../../contract/steps.ts";

export interface FleetDashboardProps {
  readonly fleet: string;
  readonly alarms: readonly Alarm[];
  readonly patchFleet: IStateMachine;
  readonly functions: Readonly<Record<string, IFunction>>;
  readonly deadLetters: IQueue;
}

const HALF = 12;
const FULL = 24;

/** The fleet on one page: what calls for somebody, how its hosts are, how its runs went and where their time goes, and the machinery. */
export class FleetDashboard extends Construct {
  readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: FleetDashboardProps) {
    super(scope, id);
    this.dashboard = new Dashboard(this, "Dashboard", {
      dashboardName: `${Stack.of(this).stackName}-Monitoring`,
      defaultInterval: Duration.days(30),
    });
    this.dashboard.addWidgets(
      new TextWidget({ markdown: introduction(props.fleet), width: FULL, height: 2 }),
      new AlarmStatusWidget({ title: "Alarms", alarms: [...props.alarms], width: FULL, height: 3 }),
    );
    this.dashboard.addWidgets(...hosts(props), ...runs(props), ...machinery(props));
  }
}

function introduction(fleet: string): string {
  return `# AutoPatch, fleet ${fleet}\nPoints come with each run, and every five minutes from hosts with \`AUTOPATCH_CLOUDWATCH=fleet\`. A run's own report: \`runs/<run>/report.html\` in the stack's bucket.`;
}

/** A metric of the fleet; statistics over a day, since most fleets have one run in it. */
function ofFleet(
  fleet: string,
  metricName: string,
  statistic: string,
  more: { namespace?: string; dimensions?: Record<string, string>; label?: string } = {},
): Metric {
  return new Metric({
    namespace: more.namespace ?? METRICS.operations,
    metricName,
    statistic,
    period: Duration.days(1),
    dimensionsMap: { [METRICS.fleetDimension]: fleet, ...more.dimensions },
    ...(more.label === undefined ? {} : { label: more.label }),
  });
}

function graph(title: string, left: IMetric[], more: { right?: IMetric[]; stacked?: boolean } = {}): GraphWidget {
  return new GraphWidget({ title, left, width: HALF, height: 6, leftYAxis: { min: 0 }, ...more });
}

function hosts({ fleet }: FleetDashboardProps): GraphWidget[] {
  const of = (name: string, statistic: string, label: string) => ofFleet(fleet, name, statistic, { label });
  return [
    graph("Hosts: packages and backups", [
      of(METRICS.totalPackages, Stats.AVERAGE, "packages, average"),
      of(METRICS.backupCount, Stats.MINIMUM, "backups, fewest"),
    ]),
    graph("Hosts: disk", [of(METRICS.diskUsagePercent, Stats.MAXIMUM, "% used, fullest")], {
      right: [of(METRICS.diskUsageBytes, Stats.MAXIMUM, "bytes by AutoPatch, most")],
    }),
    graph(
      "Hosts: security violations",
      [
        ofFleet(fleet, METRICS.securityViolations, Stats.MAXIMUM, {
          namespace: METRICS.security,
          label: "violations on one host, most",
        }),
      ],
      { right: [of(METRICS.daemonStatus, Stats.MINIMUM, "daemon (0: down somewhere)")] },
    ),
    graph("Hosts: seconds since the last update", [of(METRICS.lastUpdateAge, Stats.MAXIMUM, "oldest")]),
  ];
}

function runs({ fleet }: FleetDashboardProps): GraphWidget[] {
  return [
    graph(
      "Runs: hosts by outcome",
      HOST_OUTCOMES.map((outcome) =>
        ofFleet(fleet, METRICS.hostsByOutcome, Stats.SUM, {
          dimensions: { [METRICS.outcomeDimension]: outcome },
          label: outcome,
        }),
      ),
      { stacked: true },
    ),
    graph("Runs: seconds", [
      ofFleet(fleet, METRICS.runSeconds, Stats.MAXIMUM, { label: "whole run" }),
      ...Object.keys(PHASES).map((phase) =>
        ofFleet(fleet, METRICS.phaseSeconds, Stats.MAXIMUM, {
          dimensions: { [METRICS.phaseDimension]: phase },
          label: `${phase}, slowest wave`,
        }),
      ),
    ]),
    graph("Steps: seconds, 95 of 100 hosts", stepLines(fleet, METRICS.stepSecondsP95)),
    graph("Steps: seconds, slowest host", stepLines(fleet, METRICS.stepSecondsMax)),
  ];
}

function stepLines(fleet: string, metric: string): Metric[] {
  return STEPS.map((step) =>
    ofFleet(fleet, metric, Stats.MAXIMUM, { dimensions: { [METRICS.stepDimension]: step }, label: step }),
  );
}

function machinery({ patchFleet, functions, deadLetters }: FleetDashboardProps): GraphWidget[] {
  const sum = { statistic: Stats.SUM, period: Duration.days(1) };
  return [
    graph("PatchFleet: executions", [
      patchFleet.metricSucceeded(sum),
      patchFleet.metricFailed(sum),
      patchFleet.metricAborted(sum),
      patchFleet.metricTimedOut(sum),
    ]),
    graph(
      "Lambdas: errors",
      Object.entries(functions).map(([label, fn]) => fn.metricErrors({ ...sum, label })),
      { right: [deadLetters.metricApproximateNumberOfMessagesVisible({ ...sum, statistic: Stats.MAXIMUM })] },
    ),
  ];
}
