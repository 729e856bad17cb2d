import { expect, test } from "vitest";
import { SdkError } from "../../../local/states/errors.ts";
import { Account, ROLE, types } from "./account.ts";

const PARENT = "arn:aws:states:eu-west-1:111122223333:execution:Machine:one";
const CHILD = "arn:aws:states:eu-west-1:111122223333:execution:Machine/Hosts";
const at = new Date("2026-03-01T02:00:00.000Z");

/** Children fail for "bad" and give the item back in capitals otherwise. */
const patch = {
  Ask: { Type: "Choice", Choices: [{ Condition: "{% $states.input = 'bad' %}", Next: "Bad" }], Default: "Good" },
  Bad: { Type: "Fail", Error: "Broken", Cause: "no way" },
  Good: { Type: "Pass", Output: "{% $uppercase($states.input) %}", End: true },
};
const hosts = (more: object = {}, states: object = patch) => ({
  Type: "Map",
  Label: "Hosts",
  ItemProcessor: {
    ProcessorConfig: { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" },
    StartAt: Object.keys(states)[0],
    States: states,
  },
  End: true,
  ...more,
});
const reader = (more: object = {}) => ({
  ItemReader: {
    Resource: "arn:aws:states:::s3:getObject",
    ReaderConfig: { InputType: "JSON", ...more },
    Arguments: { Bucket: "bkt", Key: "{% $states.input.key %}" },
  },
});

test("items from S3 become child executions with a history of their own, results in the items' order", async () => {
  const account = new Account();
  account.objects.set("bkt/hosts.json", '["a","b","c"]');
  const map = hosts({
    ...reader({ MaxItems: 2 }),
    ItemSelector: "{% $states.context.Map.Item.Value & $states.context.Map.Item.Index %}",
  });
  expect(await account.output({ Map: map }, { key: "hosts.json" })).toEqual(["A0", "B1"]);
  expect(account.history().map(({ id, previousEventId, type }) => `${id}<${previousEventId} ${type}`)).toEqual([
    "1<0 ExecutionStarted",
    "2<0 MapStateEntered",
    "3<2 MapStateStarted",
    "4<3 MapRunStarted",
    "5<4 MapRunSucceeded",
    "6<5 MapStateSucceeded",
    "7<5 MapStateExited",
    "8<7 ExecutionSucceeded",
  ]);
  const mapRunArn = "arn:aws:states:eu-west-1:111122223333:mapRun:Machine/Hosts:uuid-1";
  const stateMachineArn = "arn:aws:states:eu-west-1:111122223333:stateMachine:Machine/Hosts";
  const common = { stateMachineArn, mapRunArn, status: "SUCCEEDED", startDate: at, stopDate: at, redriveCount: 0 };
  expect(account.machines.listExecutions({ mapRunArn })).toEqual({
    executions: [
      { ...common, executionArn: `${CHILD}:uuid-3`, name: "uuid-3" },
      { ...common, executionArn: `${CHILD}:uuid-2`, name: "uuid-2" },
    ],
  });
  expect(account.history(`${CHILD}:uuid-3`)[0]).toMatchObject({
    executionStartedEventDetails: { input: '"b1"', roleArn: ROLE },
  });
  const counts = {
    pending: 0,
    running: 0,
    succeeded: 2,
    failed: 0,
    timedOut: 0,
    aborted: 0,
    total: 2,
    resultsWritten: 2,
  };
  expect(account.machines.listMapRuns({ executionArn: PARENT })).toEqual({
    mapRuns: [{ executionArn: PARENT, mapRunArn, stateMachineArn, startDate: at, stopDate: at }],
  });
  expect(account.machines.describeMapRun({ mapRunArn })).toEqual({
    mapRunArn,
    executionArn: PARENT,
    status: "SUCCEEDED",
    startDate: at,
    stopDate: at,
    maxConcurrency: 0,
    toleratedFailureCount: 0,
    toleratedFailurePercentage: 0,
    itemCounts: counts,
    executionCounts: counts,
    redriveCount: 0,
  });
});

test.each([
  [{}, ["a", "bad"], false],
  [{ ToleratedFailureCount: 1 }, ["a", "bad"], true],
  [{ ToleratedFailureCount: 1 }, ["bad", "bad", "a"], false],
  [{ ToleratedFailurePercentage: 50 }, ["bad", "a"], true],
  [{ ToleratedFailurePercentage: 49 }, ["bad", "a"], false],
  [{ ToleratedFailurePercentage: "{% $states.input[0] = 'a' ? 0 : 100 %}" }, ["bad", "bad"], true],
  [{ ToleratedFailureCount: 0, ToleratedFailurePercentage: 100 }, ["bad", "a"], false],
  [{ ToleratedFailureCount: 5, ToleratedFailurePercentage: 49 }, ["bad", "a"], false],
])("%j over %j is tolerated: %s", async (tolerance, items, tolerated) => {
  const account = new Account();
  const done = await account.run({ Map: hosts({ ...tolerance, MaxConcurrency: 1 }) }, items);
  expect({ status: done.status, error: done.error }).toEqual(
    tolerated
      ? { status: "SUCCEEDED", error: undefined }
      : { status: "FAILED", error: "States.ExceedToleratedFailureThreshold" },
  );
});

test("a tolerated failure stands in the results as the description of its execution", async () => {
  const account = new Account();
  const output = await account.output({ Map: hosts({ ToleratedFailureCount: 1 }) }, ["a", "bad"]);
  const now = at.toISOString();
  expect(output).toEqual([
    "A",
    {
      Cause: "no way",
      Error: "Broken",
      ExecutionArn: `${CHILD}:uuid-3`,
      Input: '"bad"',
      InputDetails: { Included: true },
      Name: "uuid-3",
      StartDate: now,
      StateMachineArn: "arn:aws:states:eu-west-1:111122223333:stateMachine:Machine/Hosts",
      Status: "FAILED",
      StopDate: now,
    },
  ]);
});

test("over the threshold running children are aborted, no more are started, and the error can be caught", async () => {
  const account = new Account();
  const states = { ...patch, Good: { Type: "Wait", Seconds: 60, End: true } };
  const map = hosts(
    { MaxConcurrency: 2, Catch: [{ ErrorEquals: ["States.ExceedToleratedFailureThreshold"], Next: "Caught" }] },
    states,
  );
  const done = await account.run({ Map: map, Caught: { Type: "Succeed" } }, ["slow", "bad", "never"]);
  const cause = "The specified tolerated failure threshold was exceeded.";
  expect(JSON.parse(done.output ?? "")).toEqual({ Error: "States.ExceedToleratedFailureThreshold", Cause: cause });
  const [mapRun] = account.machines.listMapRuns({ executionArn: PARENT }).mapRuns;
  const described = account.machines.describeMapRun({ mapRunArn: mapRun?.mapRunArn ?? "" });
  const counts = {
    pending: 1,
    running: 0,
    succeeded: 0,
    failed: 1,
    timedOut: 0,
    aborted: 1,
    total: 3,
    resultsWritten: 2,
  };
  expect({ status: described.status, counts: described.executionCounts }).toEqual({ status: "FAILED", counts });
  expect(types(account.history()).slice(2, 7)).toEqual([
    "MapStateStarted",
    "MapRunStarted",
    "MapRunFailed",
    "MapStateFailed",
    "MapStateExited",
  ]);
  expect(account.history()[4]).toMatchObject({
    mapRunFailedEventDetails: { error: "States.ExceedToleratedFailureThreshold", cause },
  });
});

test("MaxConcurrency bounds how many children run at once", async () => {
  const account = new Account();
  const states = { W: { Type: "Wait", Seconds: 10, End: true } };
  const done = await account.run({ Map: hosts({ MaxConcurrency: 2 }, states) }, [1, 2, 3, 4, 5]);
  expect(done.stopDate).toEqual(new Date("2026-03-01T02:00:30.000Z"));
});

test("ResultWriter writes AWS's layout and the state gives its place", async () => {
  const account = new Account();
  const ResultWriter = {
    Resource: "arn:aws:states:::s3:putObject",
    Arguments: { Bucket: "out", Prefix: "{% 'runs/' & $states.context.Execution.Name %}" },
  };
  const output = await account.output({ Map: hosts({ ResultWriter, ToleratedFailureCount: 1 }) }, ["a", "bad"]);
  const MapRunArn = "arn:aws:states:eu-west-1:111122223333:mapRun:Machine/Hosts:uuid-1";
  expect(output).toEqual({ MapRunArn, ResultWriterDetails: { Bucket: "out", Key: "runs/one/uuid-1/manifest.json" } });
  const read = (name: string) => account.objects.get(`out/runs/one/uuid-1/${name}`) ?? "";
  const size = (name: string) => [{ Key: `runs/one/uuid-1/${name}`, Size: read(name).length }];
  expect(JSON.parse(read("manifest.json"))).toEqual({
    DestinationBucket: "out",
    MapRunArn,
    ResultFiles: { FAILED: size("FAILED_0.json"), PENDING: [], SUCCEEDED: size("SUCCEEDED_0.json") },
  });
  const now = at.toISOString();
  const common = {
    InputDetails: { Included: true },
    StartDate: now,
    StateMachineArn: "arn:aws:states:eu-west-1:111122223333:stateMachine:Machine/Hosts",
    StopDate: now,
  };
  expect(JSON.parse(read("SUCCEEDED_0.json"))).toEqual([
    {
      ...common,
      ExecutionArn: `${CHILD}:uuid-2`,
      Name: "uuid-2",
      Input: '"a"',
      Output: '"A"',
      OutputDetails: { Included: true },
      Status: "SUCCEEDED",
    },
  ]);
  expect(JSON.parse(read("FAILED_0.json"))).toEqual([
    {
      ...common,
      ExecutionArn: `${CHILD}:uuid-3`,
      Name: "uuid-3",
      Input: '"bad"',
      Error: "Broken",
      Cause: "no way",
      Status: "FAILED",
    },
  ]);
});

test("results are written also when the threshold is exceeded, with what never started as PENDING", async () => {
  const account = new Account();
  const ResultWriter = { Resource: "arn:aws:states:::s3:putObject", Arguments: { Bucket: "out" } };
  const done = await account.run({ Map: hosts({ ResultWriter, MaxConcurrency: 1 }) }, ["bad", "never"]);
  expect(done.error).toBe("States.ExceedToleratedFailureThreshold");
  expect(JSON.parse(account.objects.get("out/uuid-1/PENDING_0.json") ?? "")).toEqual([
    { Input: '"never"', InputDetails: { Included: true }, Status: "PENDING" },
  ]);
});

test("WriterConfig without a place formats the output", async () => {
  const states = { P: { Type: "Pass", Output: "{% [$states.input, 0] %}", End: true } };
  const ResultWriter = { WriterConfig: { Transformation: "FLATTEN", OutputType: "JSON" } };
  expect(await new Account().output({ Map: hosts({ ResultWriter }, states) }, [1, 2])).toEqual([1, 0, 2, 0]);
});

test.each([
  ["absent.json", undefined, "The specified key does not exist: absent.json"],
  ["object.json", '{"a":1}', "Attempting to map over non-iterable node."],
])("an ItemReader that cannot read %s fails the Map Run", async (key, body, cause) => {
  const account = new Account();
  if (body !== undefined) account.objects.set(`bkt/${key}`, body);
  const done = await account.run({ Map: hosts(reader()) }, { key });
  expect({ error: done.error, cause: done.cause }).toEqual({ error: "States.ItemReaderFailed", cause });
  expect(types(account.history()).slice(-3)).toEqual(["MapRunFailed", "MapStateFailed", "ExecutionFailed"]);
});

test("a ResultWriter that cannot write fails as States.ResultWriterFailed", async () => {
  const account = new Account();
  account.calls.set("s3:putObject", () => {
    throw new SdkError("AccessDenied", "no");
  });
  const ResultWriter = { Resource: "arn:aws:states:::s3:putObject", Arguments: { Bucket: "out" } };
  const done = await account.run({ Map: hosts({ ResultWriter }) }, ["a"]);
  expect({ error: done.error, cause: done.cause }).toEqual({
    error: "States.ResultWriterFailed",
    cause: "AccessDenied: no",
  });
});

test("ItemBatcher gives each child a batch, and counts stay by item", async () => {
  const account = new Account();
  const states = { P: { Type: "Pass", End: true } };
  const ItemBatcher = { MaxItemsPerBatch: 2, BatchInput: { run: "{% $states.context.Execution.Name %}" } };
  expect(await account.output({ Map: hosts({ ItemBatcher }, states) }, [1, 2, 3])).toEqual([
    { BatchInput: { run: "one" }, Items: [1, 2] },
    { BatchInput: { run: "one" }, Items: [3] },
  ]);
  const [mapRun] = account.machines.listMapRuns({ executionArn: PARENT }).mapRuns;
  const described = account.machines.describeMapRun({ mapRunArn: mapRun?.mapRunArn ?? "" });
  expect([described.itemCounts?.total, described.executionCounts?.total]).toEqual([3, 2]);
});

test("children see neither the parent's variables nor its Map item, but their own execution", async () => {
  const account = new Account();
  const look = (Output: string) => hosts({}, { P: { Type: "Pass", Output, End: true } });
  expect(await account.output({ Map: look("{% $states.context.Execution.Id %}") }, [1])).toEqual([`${CHILD}:uuid-2`]);
  for (const hidden of ["$outer", "$states.context.Map"]) {
    const other = new Account();
    const done = await other.run(
      { Set: { Type: "Pass", Assign: { outer: 1 }, Next: "Map" }, Map: look(`{% ${hidden} %}`) },
      [1],
    );
    const [mapRun] = other.machines.listMapRuns({ executionArn: PARENT }).mapRuns;
    const child = other.machines.listExecutions({ mapRunArn: mapRun?.mapRunArn }).executions[0]?.executionArn ?? "";
    expect([done.error, other.machines.describeExecution({ executionArn: child }).error]).toEqual([
      "States.ExceedToleratedFailureThreshold",
      "States.QueryEvaluationError",
    ]);
  }
});

test("stopping the parent aborts the Map Run and its children", async () => {
  const account = new Account();
  const States = { Map: hosts({}, { W: { Type: "Wait", Seconds: 60, End: true } }) };
  const stateMachineArn = account.register("Machine", { QueryLanguage: "JSONata", StartAt: "Map", States });
  account.machines.startExecution({ stateMachineArn, name: "one", input: "[1,2]" });
  await account.clock.pass(1000);
  account.machines.stopExecution({ executionArn: PARENT });
  await account.clock.settle();
  const [mapRun] = account.machines.listMapRuns({ executionArn: PARENT }).mapRuns;
  const described = account.machines.describeMapRun({ mapRunArn: mapRun?.mapRunArn ?? "" });
  const statuses = account.machines
    .listExecutions({ mapRunArn: mapRun?.mapRunArn })
    .executions.map(({ status }) => status);
  expect([described.status, statuses]).toEqual(["ABORTED", ["ABORTED", "ABORTED"]]);
});
