import { afterAll, describe, expect, test } from "vitest";
import { METRICS } from "../../contract/names.ts";
import { synthesised } from "./assembly.ts";

const stack = synthesised({ fleet: "web", alarmDiskGigabytes: 20, alarmUpdateDays: 3 });
afterAll(() => stack.remove());

interface AlarmProperties {
  readonly AlarmName: string;
  readonly AlarmDescription: string;
  readonly AlarmActions: readonly unknown[];
  readonly Namespace?: string;
  readonly MetricName?: string;
  readonly Statistic?: string;
  readonly Period?: number;
  readonly Dimensions?: readonly unknown[];
  readonly ComparisonOperator: string;
  readonly Threshold: number;
  readonly EvaluationPeriods: number;
  readonly TreatMissingData: string;
  readonly Metrics?: readonly { readonly Expression?: string; readonly MetricStat?: { readonly Metric: object } }[];
}
const alarms = new Map(
  stack.ofType("AWS::CloudWatch::Alarm").map(([, { Properties }]) => {
    const alarm = Properties as unknown as AlarmProperties;
    return [alarm.AlarmName, alarm];
  }),
);
const [[topic] = []] = stack.ofType("AWS::SNS::Topic");
const ABOVE = "GreaterThanThreshold";
const BELOW = "LessThanThreshold";

describe("an alarm for each alert of the seed, at its thresholds", () => {
  test.each([
    ["SecurityViolation", METRICS.security, "SecurityViolations", "Maximum", ABOVE, 0, 300, "notBreaching"],
    ["DaemonDown", METRICS.operations, "DaemonStatus", "Minimum", BELOW, 1, 300, "ignore"],
    ["NoRecentBackup", METRICS.operations, "BackupCount", "Minimum", BELOW, 1, 3_600, "ignore"],
    ["OldUpdate", METRICS.operations, "LastUpdateAgeSeconds", "Maximum", ABOVE, 259_200, 3_600, "ignore"],
    ["DiskUsageHigh", METRICS.operations, "DiskUsageBytes", "Maximum", ABOVE, 21_474_836_480, 1_800, "ignore"],
  ])("%s", (name, Namespace, MetricName, Statistic, ComparisonOperator, Threshold, Period, TreatMissingData) => {
    expect(alarms.get(`AutoPatch-${name}`)).toMatchObject({
      Namespace,
      MetricName,
      Statistic,
      ComparisonOperator,
      Threshold,
      Period,
      TreatMissingData,
      EvaluationPeriods: 1,
      Dimensions: [{ Name: "Fleet", Value: "web" }],
    });
  });

  test("without a configuration, ten GiB and seven days, as in the seed", () => {
    const plain = synthesised();
    try {
      const text = JSON.stringify(plain.ofType("AWS::CloudWatch::Alarm"));
      expect(text).toContain('"Threshold":10737418240');
      expect(text).toContain('"Threshold":604800');
    } finally {
      plain.remove();
    }
  });
});

test("what is behind the runs is watched too: Lambdas, dead letters, and that there are runs at all", () => {
  const functions = stack.ofType("AWS::Lambda::Function").length;
  const errors = [...alarms.values()].filter(({ AlarmName }) => AlarmName.startsWith("AutoPatch-LambdaErrors"));
  const watched = errors.flatMap(({ Metrics = [] }) => Metrics.filter(({ MetricStat }) => MetricStat !== undefined));

  expect(watched).toHaveLength(functions);
  expect(new Set(watched.map(({ MetricStat }) => JSON.stringify(MetricStat?.Metric))).size).toBe(functions);
  // CloudWatch takes ten metrics in one alarm, the expression among them.
  expect(errors.every(({ Metrics = [] }) => Metrics.length <= 10)).toBe(true);
  expect(errors.map(({ Metrics }) => Metrics?.find(({ Expression }) => Expression !== undefined)?.Expression)).toEqual(
    errors.map(() => "SUM(FILL(METRICS(), 0))"),
  );
  expect(alarms.get("AutoPatch-DeadLetters")).toMatchObject({
    Namespace: "AWS/SQS",
    MetricName: "ApproximateNumberOfMessagesVisible",
    ComparisonOperator: ABOVE,
    Threshold: 0,
  });
  expect(alarms.get("AutoPatch-NoRun")).toMatchObject({
    MetricName: "RunHosts",
    ComparisonOperator: BELOW,
    Threshold: 1,
    Period: 86_400,
    EvaluationPeriods: 3,
    TreatMissingData: "breaching",
  });
});

test("every alarm tells the topic, says what to do and for which fleet, and looks back no further than CloudWatch does", () => {
  expect(alarms.size).toBeGreaterThanOrEqual(8);
  for (const alarm of alarms.values()) {
    const { AlarmActions, AlarmDescription, EvaluationPeriods, Period = 300 } = alarm;
    expect(AlarmActions, alarm.AlarmName).toEqual([{ Ref: topic }]);
    // CloudFormation turns what is not ASCII into question marks.
    expect(AlarmDescription).toMatch(/^[\x20-\x7e]{60,900} Fleet web\.$/);
    const longest = Period < 3_600 ? 86_400 : 604_800;
    expect(EvaluationPeriods * Period).toBeLessThanOrEqual(longest);
  }
});

describe("the dashboard", () => {
  const [dashboard] = stack.ofType("AWS::CloudWatch::Dashboard").map(([, { Properties }]) => Properties);
  const joined = dashboard?.DashboardBody as { "Fn::Join": [string, unknown[]] } | undefined;
  const parts = joined?.["Fn::Join"][1] ?? ["{}"];
  const body = JSON.parse(parts.map((part) => (typeof part === "string" ? part : "reference")).join("")) as {
    widgets: { type: string; properties: { title?: string; metrics?: unknown[][]; alarms?: string[] } }[];
  };

  test("has the seed's name and shows what the fleet publishes, under its dimension", () => {
    const metrics = body.widgets.flatMap(({ properties }) => properties.metrics ?? []);
    const own = metrics.filter(([namespace]) => String(namespace).startsWith("AutoPatch/"));

    expect(dashboard?.DashboardName).toBe("AutoPatch-Monitoring");
    expect(new Set(own.map(([namespace, name]) => `${namespace} ${name}`))).toEqual(
      new Set([
        ...["TotalPackages", "BackupCount", "DiskUsagePercent", "DiskUsageBytes", "DaemonStatus"].map(named),
        ...["LastUpdateAgeSeconds", "HostsByOutcome", "RunSeconds", "PhaseSeconds"].map(named),
        ...["StepSecondsP95", "StepSecondsMax"].map(named),
        "AutoPatch/Operations/Security SecurityViolations",
      ]),
    );
    expect(own.filter((metric) => !JSON.stringify(metric).includes('"Fleet","web"'))).toEqual([]);
  });

  test("shows every alarm", () => {
    const shown = body.widgets.find(({ type }) => type === "alarm");
    expect(shown?.properties.alarms).toHaveLength(alarms.size);
  });

  test("is not there where it is not wanted", () => {
    const plain = synthesised({ dashboard: false });
    try {
      expect(plain.ofType("AWS::CloudWatch::Dashboard")).toEqual([]);
      expect(plain.ofType("AWS::CloudWatch::Alarm").length).toBe(alarms.size);
    } finally {
      plain.remove();
    }
  });

  function named(name: string): string {
    return `${METRICS.operations} ${name}`;
  }
});

describe("Slack", () => {
  const statement = (template: string) =>
    /\{"Action":"secretsmanager:GetSecretValue"[^\]]*\][^}]*\}[^}]*\}/.exec(template)?.[0];

  test("without its configuration nothing of it is in the template", () => {
    const concerned = Object.entries(stack.resources).filter(([, resource]) =>
      /secretsmanager|slack_secret|webhook/i.test(JSON.stringify(resource)),
    );

    expect(concerned.map(([id]) => id)).toEqual([]);
  });

  test.each([
    ["a name", { slackSecret: "ops/slack" }, ':secret:ops/slack-??????"'],
    [
      "an ARN",
      { slackSecret: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf" },
      '"arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf"',
    ],
  ])("by %s, notify may read that secret and nobody another", (_what, config, resource) => {
    const slack = synthesised(config);
    try {
      const readers = slack
        .ofType("AWS::IAM::Policy")
        .filter(([, policy]) => JSON.stringify(policy).includes("secretsmanager:"));
      expect(readers.map(([id]) => id.slice(0, "Functionsnotify".length))).toEqual(["Functionsnotify"]);
      expect(JSON.stringify(readers)).toContain(resource);
      expect(statement(JSON.stringify(readers)) ?? "").not.toContain('"Resource":"*"');
      expect(JSON.stringify(slack.ofType("AWS::Lambda::Function"))).toContain(
        `"AUTOPATCH_SLACK_SECRET":"${config.slackSecret}"`,
      );
    } finally {
      slack.remove();
    }
  });

  test("a customer's key of the secret may be used for it", () => {
    const key = "arn:aws:kms:eu-west-1:123456789012:key/1234";
    const slack = synthesised({ slackSecret: "slack", slackSecretKey: key });
    try {
      const statements = slack
        .ofType("AWS::IAM::Policy")
        .filter(([id]) => id.startsWith("Functionsnotify"))
        .flatMap(([, { Properties }]) => (Properties.PolicyDocument as { Statement: { Sid?: string }[] }).Statement);
      expect(statements.find(({ Sid }) => Sid === "UseSecretKey")).toMatchObject({
        Action: "kms:Decrypt",
        Resource: key,
      });
    } finally {
      slack.remove();
    }
  });
});
