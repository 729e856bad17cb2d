import { createRequire } from "node:module";
import { App, Duration, Stack } from "aws-cdk-lib";
import { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { Topic } from "aws-cdk-lib/aws-sns";
import * as sfn from "aws-cdk-lib/aws-stepfunctions";
import { CallAwsService, LambdaInvoke, SnsPublish } from "aws-cdk-lib/aws-stepfunctions-tasks";
import { expect, test } from "vitest";
import { Account, functionArn, handlerError } from "./account.ts";

// asl-validator ships no types.
const validateDefinition = createRequire(import.meta.url)("asl-validator") as (definition: unknown) => {
  errorsText(): string;
};

/** The definition as it stands in the template, with the partition filled in. */
function synthesise(build: (stack: Stack) => sfn.IChainable): string {
  const app = new App({ context: { "@aws-cdk/aws-stepfunctions:useDistributedMapResultWriterV2": true } });
  const stack = new Stack(app, "S", { env: { account: "111122223333", region: "eu-west-1" } });
  const definitionBody = sfn.DefinitionBody.fromChainable(build(stack));
  new sfn.StateMachine(stack, "M", {
    definitionBody,
    queryLanguage: sfn.QueryLanguage.JSONATA,
    timeout: Duration.hours(2),
  });
  const { Resources } = app.synth().getStackByName("S").template as { Resources: Record<string, Resource> };
  const machine = Object.values(Resources).find(({ Type }) => Type === "AWS::StepFunctions::StateMachine");
  const text = machine?.Properties.DefinitionString;
  if (typeof text === "string") return text;
  return (text?.["Fn::Join"][1] ?? []).map((part) => (typeof part === "string" ? part : "aws")).join("");
}

interface Resource {
  readonly Type: string;
  readonly Properties: {
    readonly DefinitionString: string | { readonly "Fn::Join": [string, (string | { Ref: "AWS::Partition" })[]] };
  };
}

/** A small run: plan, then each batch dispatched and awaited by token, the outcome assessed and told. */
function patchRun(stack: Stack): sfn.IChainable {
  const lambda = (name: string) => LambdaFunction.fromFunctionArn(stack, name, functionArn(name));
  const bucket = Bucket.fromBucketName(stack, "Bucket", "runs");
  const plan = LambdaInvoke.jsonata(stack, "Plan", {
    lambdaFunction: lambda("plan"),
    payload: sfn.TaskInput.fromObject({ wave: "{% $states.input.wave %}" }),
    outputs: "{% $states.result.Payload %}",
    assign: { key: "{% $states.result.Payload.key %}" },
  });
  plan.addRetry({ errors: ["Throttled"], interval: Duration.seconds(2), maxAttempts: 2 });
  const dispatch = LambdaInvoke.jsonata(stack, "Dispatch", {
    lambdaFunction: lambda("dispatch"),
    integrationPattern: sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
    payload: sfn.TaskInput.fromObject({ host: "{% $states.input.host %}", token: "{% $states.context.Task.Token %}" }),
    heartbeatTimeout: sfn.Timeout.duration(Duration.minutes(5)),
    taskTimeout: sfn.Timeout.duration(Duration.hours(1)),
  });
  const batches = sfn.DistributedMap.jsonata(stack, "Batches", {
    label: "Batches",
    itemReader: new sfn.S3JsonItemReader({ bucket, key: "{% $key %}" }),
    itemSelector: { host: "{% $states.context.Map.Item.Value.id %}" },
    toleratedFailurePercentage: 50,
    maxConcurrency: 2,
    resultWriterV2: new sfn.ResultWriterV2({ bucket, prefix: "{% 'results/' & $states.context.Execution.Name %}" }),
  }).itemProcessor(dispatch, { mode: sfn.ProcessorMode.DISTRIBUTED, executionType: sfn.ProcessorType.STANDARD });
  const assess = CallAwsService.jsonata(stack, "Assess", {
    service: "s3",
    action: "getObject",
    parameters: {
      Bucket: "{% $states.input.ResultWriterDetails.Bucket %}",
      Key: "{% $states.input.ResultWriterDetails.Key %}",
    },
    iamResources: ["*"],
    outputs: "{% $count($parse($states.result.Body).ResultFiles.FAILED) %}",
  });
  const tell = SnsPublish.jsonata(stack, "Tell", {
    topic: Topic.fromTopicArn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:runs"),
    message: sfn.TaskInput.fromText("{% $string($states.input) & ' with failures' %}"),
    outputs: "{% $states.result.MessageId %}",
  });
  const clean = sfn.Succeed.jsonata(stack, "Clean", { outputs: "{% 'clean' %}" });
  const verdict = sfn.Choice.jsonata(stack, "Any failed?")
    .when(sfn.Condition.jsonata("{% $states.input > 0 %}"), tell)
    .otherwise(clean);
  const bake = sfn.Wait.jsonata(stack, "Bake", { time: sfn.WaitTime.duration(Duration.minutes(30)) });
  const nothing = sfn.Fail.jsonata(stack, "Nothing", { error: "NoPlan", cause: "{% $states.input.Cause %}" });
  return plan.addCatch(nothing).next(batches).next(assess).next(bake).next(verdict);
}

function patchAccount() {
  const account = new Account();
  const definition = synthesise(patchRun);
  account.objects.set("runs/plan.json", '[{"id":"i-1"},{"id":"i-2"}]');
  account.functions.set("plan", () => ({ key: "plan.json" }));
  return {
    account,
    definition,
    run: (input: unknown) => {
      const name = "Patch";
      const arn = `arn:aws:states:eu-west-1:111122223333:stateMachine:${name}`;
      account.machines.register({ name, arn, roleArn: "arn:aws:iam::111122223333:role/r", definition });
      const { executionArn } = account.machines.startExecution({
        stateMachineArn: arn,
        name: "one",
        input: JSON.stringify(input),
      });
      return account.clock.until(account.machines.finished(executionArn));
    },
  };
}

test("what the CDK synthesises is valid and runs unchanged, tokens answered for each host", async () => {
  const { account, definition, run } = patchAccount();
  expect(validateDefinition(JSON.parse(definition)).errorsText()).toBe("");
  const told: unknown[] = [];
  account.functions.set("dispatch", ({ host, token }: { host: string; token: string }) => {
    account.clock.sleep(60_000, new AbortController().signal).then(() => {
      if (host === "i-1") account.machines.sendTaskSuccess({ taskToken: token, output: '"committed"' });
      else account.machines.sendTaskFailure({ taskToken: token, error: "RolledBack", cause: "health" });
    });
  });
  account.calls.set("sns:publish", (args: unknown) => {
    told.push(args);
    return { MessageId: "m-1" };
  });
  const done = await run({ wave: 1 });
  expect({ status: done.status, output: done.output, stopDate: done.stopDate, told }).toEqual({
    status: "SUCCEEDED",
    output: '"m-1"',
    stopDate: new Date("2026-03-01T02:31:00.000Z"),
    told: [{ TopicArn: "arn:aws:sns:eu-west-1:111122223333:runs", Message: "1 with failures" }],
  });
  const [succeeded] = JSON.parse(
    account.objects.get([...account.objects.keys()].find((key) => key.endsWith("SUCCEEDED_0.json")) ?? "") ?? "[]",
  );
  expect(succeeded).toMatchObject({ Input: '{"host":"i-1"}', Output: '"committed"', Status: "SUCCEEDED" });
});

test("hosts that never answer are given up after the heartbeat, and the map over its tolerance fails", async () => {
  const { account, run } = patchAccount();
  account.functions.set("dispatch", () => null);
  expect(await run({ wave: 1 })).toMatchObject({
    status: "FAILED",
    error: "States.ExceedToleratedFailureThreshold",
    stopDate: new Date("2026-03-01T02:05:00.000Z"),
  });
});

test("the CDK's Retry and Catch: two tries later the plan's failure is named by Fail", async () => {
  const { account, run } = patchAccount();
  account.functions.set("plan", () => {
    throw handlerError("Throttled", "slow down");
  });
  expect(await run({ wave: 1 })).toMatchObject({
    status: "FAILED",
    error: "NoPlan",
    cause: '{"errorType":"Throttled","errorMessage":"slow down","trace":[]}',
    stopDate: new Date("2026-03-01T02:00:06.000Z"),
  });
});
