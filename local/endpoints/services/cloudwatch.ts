import { z } from "zod";
import { AwsError } from "../aws-error.ts";
import { operation } from "../protocol/call.ts";
import type { AccessRequest, Service } from "../protocol/request.ts";
import { byPeriod, type Datum, type Dimension, STATISTICS, sameDimensions, sortedDimensions } from "./metrics.ts";

/** Seconds since 1970 in JSON, a date already in CBOR. */
const Instant = z.union([z.number().transform((seconds) => new Date(seconds * 1000)), z.date()]);
const Dimensions = z
  .array(z.strictObject({ Name: z.string(), Value: z.string() }))
  .max(30)
  .optional();
const MetricDatum = z.strictObject({
  MetricName: z.string(),
  Dimensions,
  Timestamp: Instant.optional(),
  Unit: z.string().optional(),
  Value: z.number().optional(),
  Values: z.array(z.number()).optional(),
  Counts: z.array(z.number()).optional(),
  StatisticValues: z
    .strictObject({ SampleCount: z.number(), Sum: z.number(), Minimum: z.number(), Maximum: z.number() })
    .optional(),
  StorageResolution: z.number().optional(),
});
const PutMetricData = z.strictObject({
  Namespace: z
    .string()
    .regex(/^[^:]/)
    .regex(/^(?!AWS\/)/, "The value AWS/ for parameter Namespace is invalid."),
  MetricData: z.array(MetricDatum).max(1000),
});
const ListMetrics = z.strictObject({
  Namespace: z.string().optional(),
  MetricName: z.string().optional(),
  Dimensions: z.array(z.strictObject({ Name: z.string(), Value: z.string().optional() })).optional(),
  NextToken: z.string().optional(),
});
const Metric = { Namespace: z.string(), MetricName: z.string(), Dimensions };
const GetMetricStatistics = z.strictObject({
  ...Metric,
  StartTime: Instant,
  EndTime: Instant,
  Period: z.number(),
  Statistics: z.array(z.enum(STATISTICS)).min(1),
});
const GetMetricData = z.strictObject({
  StartTime: Instant,
  EndTime: Instant,
  MetricDataQueries: z.array(
    z.strictObject({
      Id: z.string(),
      Label: z.string().optional(),
      ReturnData: z.literal(true).optional(),
      MetricStat: z.strictObject({ Metric: z.strictObject(Metric), Period: z.number(), Stat: z.enum(STATISTICS) }),
    }),
  ),
  ScanBy: z.enum(["TimestampAscending", "TimestampDescending"]).optional(),
});

/** CloudWatch: metrics put, listed and read. What was put stays readable for whoever runs the stack. */
export class Metrics implements Service {
  readonly name = "cloudwatch";
  readonly data: Datum[] = [];
  readonly operations: Service["operations"];

  constructor(now: () => Date) {
    this.operations = {
      PutMetricData: operation(PutMetricData, ({ Namespace, MetricData }) => {
        this.data.push(...MetricData.flatMap((datum) => asData(Namespace, datum, now)));
      }),
      ListMetrics: operation(ListMetrics, (request) => ({ Metrics: this.#list(request) })),
      GetMetricStatistics: operation(GetMetricStatistics, (request) => ({
        Label: request.MetricName,
        Datapoints: this.#periods(request, request.Period, request).map(({ at, values, unit }) => ({
          Timestamp: at,
          ...Object.fromEntries(request.Statistics.map((statistic) => [statistic, values[statistic]])),
          Unit: unit,
        })),
      })),
      GetMetricData: operation(GetMetricData, (request) => ({
        MetricDataResults: request.MetricDataQueries.map(({ Id, Label, MetricStat: { Metric, Period, Stat } }) => {
          const periods = this.#periods(Metric, Period, request);
          if (request.ScanBy !== "TimestampAscending") periods.reverse();
          return {
            Id,
            Label: Label ?? Metric.MetricName,
            Timestamps: periods.map(({ at }) => at),
            Values: periods.map(({ values }) => values[Stat]),
            StatusCode: "Complete",
          };
        }),
        Messages: [],
      })),
    };
  }

  access(name: string, input: unknown): readonly AccessRequest[] {
    const { Namespace } = z.object({ Namespace: z.string().optional() }).parse(input);
    const context: Record<string, string> = Namespace === undefined ? {} : { "cloudwatch:namespace": Namespace };
    return [{ action: `cloudwatch:${name}`, resource: "*", context }];
  }

  #list({ Namespace, MetricName, Dimensions = [] }: z.infer<typeof ListMetrics>) {
    const wanted = this.data.filter(
      (datum) =>
        (Namespace === undefined || datum.namespace === Namespace) &&
        (MetricName === undefined || datum.name === MetricName) &&
        Dimensions.every(({ Name, Value }) =>
          datum.dimensions.some((one) => one.Name === Name && (Value === undefined || one.Value === Value)),
        ),
    );
    const shown = wanted.map(({ namespace, name, dimensions }) => ({
      Namespace: namespace,
      MetricName: name,
      Dimensions: dimensions,
    }));
    return [...new Map(shown.map((metric) => [JSON.stringify(metric), metric])).values()];
  }

  #periods(
    metric: { Namespace: string; MetricName: string; Dimensions?: readonly Dimension[] | undefined },
    seconds: number,
    { StartTime, EndTime }: { StartTime: Date; EndTime: Date },
  ) {
    const own = this.data.filter(
      (datum) =>
        datum.namespace === metric.Namespace &&
        datum.name === metric.MetricName &&
        sameDimensions(datum.dimensions, metric.Dimensions ?? []),
    );
    return byPeriod(own, { from: StartTime, to: EndTime, seconds });
  }
}

function asData(namespace: string, datum: z.infer<typeof MetricDatum>, now: () => Date): Datum[] {
  const common = {
    namespace,
    name: datum.MetricName,
    dimensions: sortedDimensions(datum.Dimensions ?? []),
    at: datum.Timestamp ?? now(),
    unit: datum.Unit ?? "None",
  };
  const given = datum.StatisticValues;
  if (given !== undefined) {
    const { SampleCount, Sum, Minimum, Maximum } = given;
    return [{ ...common, sampleCount: SampleCount, sum: Sum, minimum: Minimum, maximum: Maximum }];
  }
  const values = datum.Value === undefined ? (datum.Values ?? []) : [datum.Value];
  if (values.length === 0) {
    throw new AwsError(
      "InvalidParameterValue",
      `${datum.MetricName}: one of Value, Values and StatisticValues is needed`,
    );
  }
  return values.map((value, index) => {
    const sampleCount = datum.Counts?.[index] ?? 1;
    return { ...common, sampleCount, sum: value * sampleCount, minimum: value, maximum: value };
  });
}
