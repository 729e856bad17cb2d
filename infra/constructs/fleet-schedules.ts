import { ArnFormat, Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { CfnSchedule, CfnScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import type { FleetSchedule } from "../config.ts";

export interface FleetSchedulesProps {
  readonly schedules: readonly FleetSchedule[];
  /** Names the run by the scheduled time and starts it. */
  readonly start: IFunction;
  readonly patchFleet: IStateMachine;
  /** Takes starts that could not be delivered. */
  readonly deadLetters: IQueue;
}

/** Runs by the clock, each schedule in its own time zone. Without schedules nothing is made. */
export class FleetSchedules extends Construct {
  constructor(scope: Construct, id: string, { schedules, start, patchFleet, deadLetters }: FleetSchedulesProps) {
    super(scope, id);
    if (schedules.length === 0) return;
    const stack = Stack.of(this);
    const name = `${stack.stackName}-runs`;
    const group = new CfnScheduleGroup(this, "Group", { name });
    const role = new Role(this, "Role", {
      // Only for schedules of this very group: another one of the account cannot borrow the role.
      assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
        conditions: {
          StringEquals: {
            "aws:SourceAccount": stack.account,
            "aws:SourceArn": stack.formatArn({
              service: "scheduler",
              resource: "schedule-group",
              resourceName: name,
              arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
            }),
          },
        },
      }),
    });
    role.addToPolicy(
      new PolicyStatement({ sid: "Start", actions: ["lambda:InvokeFunction"], resources: [start.functionArn] }),
    );
    role.addToPolicy(
      new PolicyStatement({ sid: "DeadLetters", actions: ["sqs:SendMessage"], resources: [deadLetters.queueArn] }),
    );
    for (const { name: schedule, cron, timeZone, request } of schedules) {
      const input = {
        schedule,
        scheduledTime: "<aws.scheduler.scheduled-time>",
        stateMachineArn: patchFleet.stateMachineArn,
        request,
      };
      const made = new CfnSchedule(this, schedule, {
        name: schedule,
        groupName: name,
        description: "AutoPatch: starts a run over the fleet",
        scheduleExpression: cron,
        scheduleExpressionTimezone: timeZone,
        flexibleTimeWindow: { mode: "OFF" },
        target: {
          arn: start.functionArn,
          roleArn: role.roleArn,
          input: stack.toJsonString(input),
          deadLetterConfig: { arn: deadLetters.queueArn },
          // A run that could not be started for an hour is not started later than people expect it.
          retryPolicy: { maximumEventAgeInSeconds: 3_600, maximumRetryAttempts: 20 },
        },
      });
      made.addResourceDependency(group);
    }
  }
}
