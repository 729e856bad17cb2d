import {
  DescribeExecutionCommand,
  DescribeStateMachineCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  ListMapRunsCommand,
  ListStateMachinesCommand,
  SendTaskFailureCommand,
  SendTaskHeartbeatCommand,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from "@aws-sdk/client-sfn";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answer, clientOptions } from "./clients.ts";
import { ACCOUNT, MACHINE, REGION, type Running, runEndpoint } from "./running.ts";

let running: Running;
beforeAll(async () => {
  running = await runEndpoint();
});
afterAll(async () => {
  await running.stop();
});

describe("Step Functions", () => {
  test("an execution started, described, listed, its history read", async () => {
    const sfn = new SFNClient(clientOptions(running));
    const started = await answer(
      sfn.send(new StartExecutionCommand({ stateMachineArn: MACHINE, name: "run-1", input: '{"name":"you"}' })),
    );
    const executionArn = started.executionArn ?? "";
    await running.machines.finished(executionArn);
    const described = await answer(sfn.send(new DescribeExecutionCommand({ executionArn })));
    const listed = await answer(
      sfn.send(new ListExecutionsCommand({ stateMachineArn: MACHINE, statusFilter: "SUCCEEDED" })),
    );
    const history = await answer(
      sfn.send(
        new GetExecutionHistoryCommand({ executionArn, reverseOrder: true, maxResults: 1, includeExecutionData: true }),
      ),
    );
    expect(started).toEqual({
      executionArn: `arn:aws:states:${REGION}:${ACCOUNT}:execution:greeter:run-1`,
      startDate: expect.any(Date),
    });
    expect(described).toEqual({
      executionArn,
      stateMachineArn: MACHINE,
      name: "run-1",
      status: "SUCCEEDED",
      startDate: expect.any(Date),
      stopDate: expect.any(Date),
      input: '{"name":"you"}',
      inputDetails: { included: true },
      output: '{"greeting":"hello you"}',
      outputDetails: { included: true },
      redriveCount: 0,
    });
    expect(listed.executions?.map((one) => [one.name, one.status])).toEqual([["run-1", "SUCCEEDED"]]);
    expect(history.events?.map((event) => [event.type, event.executionSucceededEventDetails?.output])).toEqual([
      ["ExecutionSucceeded", '{"greeting":"hello you"}'],
    ]);
    expect(history.nextToken).toEqual(expect.any(String));
    expect(await answer(sfn.send(new ListMapRunsCommand({ executionArn })))).toEqual({ mapRuns: [] });
  });

  test("state machines, and refusals by their names", async () => {
    const sfn = new SFNClient(clientOptions(running));
    const machines = await answer(sfn.send(new ListStateMachinesCommand({})));
    const machine = await answer(sfn.send(new DescribeStateMachineCommand({ stateMachineArn: MACHINE })));
    expect(machines.stateMachines?.map((one) => [one.name, one.type])).toEqual([["greeter", "STANDARD"]]);
    expect([machine.status, machine.name, machine.creationDate]).toEqual(["ACTIVE", "greeter", expect.any(Date)]);
    const taskToken = "no-such-token";
    await expect(sfn.send(new SendTaskSuccessCommand({ taskToken, output: "{}" }))).rejects.toMatchObject({
      name: "InvalidToken",
    });
    await expect(sfn.send(new SendTaskFailureCommand({ taskToken }))).rejects.toMatchObject({ name: "InvalidToken" });
    await expect(sfn.send(new SendTaskHeartbeatCommand({ taskToken }))).rejects.toMatchObject({ name: "InvalidToken" });
    await expect(sfn.send(new StopExecutionCommand({ executionArn: `${MACHINE}:none` }))).rejects.toMatchObject({
      name: "ExecutionDoesNotExist",
    });
  });
});
