import {
  CloudWatchClient,
  DescribeAlarmsCommand,
  GetMetricDataCommand,
  GetMetricStatisticsCommand,
  ListMetricsCommand,
  PutMetricDataCommand,
} from "@aws-sdk/client-cloudwatch";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answer, clientOptions } from "./clients.ts";
import { type Running, runEndpoint } from "./running.ts";

let running: Running;
beforeAll(async () => {
  running = await runEndpoint();
});
afterAll(async () => {
  await running.stop();
});

describe("CloudWatch", () => {
  test("metrics put, listed and read back by period", async () => {
    const cloudwatch = new CloudWatchClient(clientOptions(running));
    const at = (seconds: number) => new Date(Date.UTC(2026, 10, 24, 3, 0, seconds));
    const Dimensions = [{ Name: "Fleet", Value: "web" }];
    const Namespace = "AutoPatch/Operations";
    await cloudwatch.send(
      new PutMetricDataCommand({
        Namespace,
        MetricData: [
          { MetricName: "BackupCount", Dimensions, Timestamp: at(0), Value: 4, Unit: "Count" },
          { MetricName: "BackupCount", Dimensions, Timestamp: at(30), Values: [1, 7], Counts: [2, 1], Unit: "Count" },
          {
            MetricName: "BackupCount",
            Dimensions,
            Timestamp: at(60),
            StatisticValues: { SampleCount: 2, Sum: 5, Minimum: 2, Maximum: 3 },
          },
          { MetricName: "DiskUsagePercent", Dimensions, Value: 12.5 },
        ],
      }),
    );
    const range = { StartTime: at(0), EndTime: at(120) };
    const listed = await answer(
      cloudwatch.send(new ListMetricsCommand({ Namespace, Dimensions: [{ Name: "Fleet" }] })),
    );
    const statistics = await answer(
      cloudwatch.send(
        new GetMetricStatisticsCommand({
          Namespace,
          MetricName: "BackupCount",
          Dimensions,
          ...range,
          Period: 60,
          Statistics: ["Sum", "Average", "Minimum", "Maximum", "SampleCount"],
        }),
      ),
    );
    const MetricStat = { Metric: { Namespace, MetricName: "BackupCount", Dimensions }, Period: 60, Stat: "Sum" };
    const data = await answer(
      cloudwatch.send(new GetMetricDataCommand({ ...range, MetricDataQueries: [{ Id: "m1", MetricStat }] })),
    );
    expect(listed).toEqual({
      Metrics: [
        { Namespace, MetricName: "BackupCount", Dimensions },
        { Namespace, MetricName: "DiskUsagePercent", Dimensions },
      ],
    });
    expect(statistics).toEqual({
      Label: "BackupCount",
      Datapoints: [
        { Timestamp: at(0), Sum: 13, Average: 3.25, Minimum: 1, Maximum: 7, SampleCount: 4, Unit: "Count" },
        { Timestamp: at(60), Sum: 5, Average: 2.5, Minimum: 2, Maximum: 3, SampleCount: 2, Unit: "None" },
      ],
    });
    expect(data).toEqual({
      MetricDataResults: [
        { Id: "m1", Label: "BackupCount", Timestamps: [at(60), at(0)], Values: [5, 13], StatusCode: "Complete" },
      ],
      Messages: [],
    });
    await expect(cloudwatch.send(new DescribeAlarmsCommand({}))).rejects.toMatchObject({
      name: "NotModelledLocally",
      message: "cloudwatch DescribeAlarms is not done by the local stack",
    });
  });
});
