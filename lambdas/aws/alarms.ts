import { CloudWatchClient, DescribeAlarmsCommand } from "@aws-sdk/client-cloudwatch";

/** CloudWatch's alarms. */
export class Alarms {
  readonly #cloudwatch = new CloudWatchClient({});

  /** The state of each, metric or composite; null where there is none of that name. @param names at most 100 */
  async states(names: readonly string[]): Promise<{ readonly name: string; readonly state: string | null }[]> {
    if (names.length === 0) return [];
    const answer = await this.#cloudwatch.send(
      new DescribeAlarmsCommand({
        AlarmNames: [...names],
        // Without this it gives metric alarms only.
        AlarmTypes: ["MetricAlarm", "CompositeAlarm"],
        MaxRecords: 100,
      }),
    );
    const found = [...(answer.MetricAlarms ?? []), ...(answer.CompositeAlarms ?? [])];
    const byName = new Map(found.map(({ AlarmName, StateValue }) => [AlarmName, StateValue ?? null]));
    return names.map((name) => ({ name, state: byName.get(name) ?? null }));
  }
}
