import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { METRICS } from "../../contract/names.ts";

export interface FleetAlarmsProps {
  readonly fleet: string;
  /** Is told of each alarm. */
  readonly topic: ITopic;
  readonly deadLetters: IQueue;
  readonly functions: readonly IFunction[];
  /** GiB that AutoPatch may keep on a host. */
  readonly diskUsageGigabytes: number;
  /** Days that a host may go without an update, and the fleet without a run. */
  readonly updateAgeDays: number;
}

interface AlarmRule {
  readonly metric: IMetric;
  readonly when: ComparisonOperator;
  readonly threshold: number;
  readonly periods?: number;
  /** `ignore`: the state stays until a run, or a host, says otherwise. `notBreaching`: each sighting is told anew. */
  readonly missing: TreatMissingData;
  /** What it means, and what to do. */
  readonly says: string;
}

/** A math expression of an alarm takes ten metrics, the expression one of them. */
const FUNCTIONS_IN_ONE = 9;
const { LESS_THAN_THRESHOLD: BELOW, GREATER_THAN_THRESHOLD: ABOVE } = ComparisonOperator;

/**
 * An alarm for each alert of the seed's Prometheus rules, and for what nobody else would tell: events that found no taker, Lambdas that
 * fail, a fleet that nobody patches. Metrics come with each run, and every five minutes from hosts that publish under the fleet's name.
 */
export class FleetAlarms extends Construct {
  readonly alarms: readonly Alarm[];

  constructor(scope: Construct, id: string, props: FleetAlarmsProps) {
    super(scope, id);
    const rules = { ...seedAlerts(props), ...machinery(props) };
    this.alarms = Object.entries(rules).map(([name, { metric, when, threshold, periods = 1, missing, says }]) => {
      const alarm = new Alarm(this, name, {
        alarmName: `${Stack.of(this).stackName}-${name}`,
        alarmDescription: `${says} Fleet ${props.fleet}.`,
        metric,
        comparisonOperator: when,
        threshold,
        evaluationPeriods: periods,
        treatMissingData: missing,
      });
      alarm.addAlarmAction(new SnsAction(props.topic));
      return alarm;
    });
  }
}

/** ARNs of the stack's alarms, for who may publish to its topic: a reference to the alarms themselves would be a circle. */
export function alarmArns(stack: Stack): string {
  return stack.formatArn({
    service: "cloudwatch",
    resource: "alarm",
    resourceName: `${stack.stackName}-*`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}

/** Thresholds and times are the seed's. */
function seedAlerts({ fleet, diskUsageGigabytes, updateAgeDays }: FleetAlarmsProps): Record<string, AlarmRule> {
  const of = (metricName: string, statistic: string, period: Duration, namespace: string = METRICS.operations) =>
    new Metric({ namespace, metricName, statistic, period, dimensionsMap: { [METRICS.fleetDimension]: fleet } });
  return {
    SecurityViolation: {
      metric: of(METRICS.securityViolations, Stats.MAXIMUM, Duration.minutes(5), METRICS.security),
      when: ABOVE,
      threshold: 0,
      missing: TreatMissingData.NOT_BREACHING,
      says: "A host logged a security violation: something could not be trusted, and nothing of it was installed. Find the host in the run's report, read its log in /var/log/autopatch; if it is an attack: autopatch-manager.sh emergency-lockdown.",
    },
    DaemonDown: {
      metric: of(METRICS.daemonStatus, Stats.MINIMUM, Duration.minutes(5)),
      when: BELOW,
      threshold: 1,
      missing: TreatMissingData.IGNORE,
      says: "AutoPatch's daemon does not run on a host. There: systemctl status autopatch-daemon; autopatch-manager.sh manage-daemon --install --enable.",
    },
    NoRecentBackup: {
      metric: of(METRICS.backupCount, Stats.MINIMUM, Duration.hours(1)),
      when: BELOW,
      threshold: 1,
      missing: TreatMissingData.IGNORE,
      says: "A host has no backup. There: install.sh --backup --force makes one; rollback.sh --list-backups shows it.",
    },
    OldUpdate: {
      metric: of(METRICS.lastUpdateAge, Stats.MAXIMUM, Duration.hours(1)),
      when: ABOVE,
      threshold: Duration.days(updateAgeDays).toSeconds(),
      missing: TreatMissingData.IGNORE,
      says: `A host was not updated for more than ${updateAgeDays} days. The run's report says what kept it; then start another run.`,
    },
    DiskUsageHigh: {
      metric: of(METRICS.diskUsageBytes, Stats.MAXIMUM, Duration.minutes(30)),
      when: ABOVE,
      threshold: diskUsageGigabytes * 2 ** 30,
      missing: TreatMissingData.IGNORE,
      says: `AutoPatch keeps more than ${diskUsageGigabytes} GiB on a host. There: rollback.sh --cleanup-backups --days 30.`,
    },
  };
}

/** What the seed has no alert for. */
function machinery({ fleet, deadLetters, functions, updateAgeDays }: FleetAlarmsProps): Record<string, AlarmRule> {
  const groups = Array.from({ length: Math.ceil(functions.length / FUNCTIONS_IN_ONE) }, (_, index) =>
    functions.slice(index * FUNCTIONS_IN_ONE, (index + 1) * FUNCTIONS_IN_ONE),
  );
  const errors = groups.map((some, index): [string, AlarmRule] => [
    `LambdaErrors${index === 0 ? "" : index + 1}`,
    {
      metric: new MathExpression({
        expression: "SUM(FILL(METRICS(), 0))",
        label: "Errors",
        period: Duration.minutes(5),
        usingMetrics: Object.fromEntries(some.map((fn, at) => [`f${at}`, fn.metricErrors({ statistic: Stats.SUM })])),
      }),
      when: ABOVE,
      threshold: 0,
      missing: TreatMissingData.NOT_BREACHING,
      says: "A Lambda failed. What passes by itself was tried again; what did not ended the run, and may have kept anyone from being told. Read the function's log.",
    },
  ]);
  return {
    ...Object.fromEntries(errors),
    DeadLetters: {
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({
        statistic: Stats.MAXIMUM,
        period: Duration.minutes(5),
      }),
      when: ABOVE,
      threshold: 0,
      missing: TreatMissingData.IGNORE,
      says: "The end of a command could not be told to its batch, which looked for itself; but something is wrong with the rule or its Lambda. Read the messages in the queue, mend it, then purge the queue.",
    },
    NoRun: {
      metric: new Metric({
        namespace: METRICS.operations,
        metricName: METRICS.runHosts,
        statistic: Stats.SUM,
        period: Duration.days(1),
        dimensionsMap: { [METRICS.fleetDimension]: fleet },
      }),
      when: BELOW,
      threshold: 1,
      periods: updateAgeDays,
      missing: TreatMissingData.BREACHING,
      says: `No run reached any host for ${updateAgeDays} days; after a deployment, none yet. See whether it is scheduled, then start one.`,
    },
  };
}
