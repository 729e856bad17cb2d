import { expect, test } from "vitest";
import { loadDefinition } from "../../../local/states/load.ts";

const machine = (states: object, more: object = {}) =>
  JSON.stringify({ QueryLanguage: "JSONata", StartAt: "S", States: states, ...more });
const pass = { Type: "Pass", End: true };
const task = (more: object) => ({
  Type: "Task",
  Resource: "arn:aws:states:::sns:publish",
  Arguments: {},
  End: true,
  ...more,
});
const map = (more: object, config: object = {}) => ({
  Type: "Map",
  ItemProcessor: { ProcessorConfig: config, StartAt: "I", States: { I: pass } },
  End: true,
  ...more,
});
const distributed = { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" };
const resource = (arn: string) => machine({ S: task({ Resource: arn }) });

test.each([
  ["{", "definition: is not JSON: Expected property name or '}' in JSON at position 1 (line 1 column 2)"],
  [
    JSON.stringify({ StartAt: "S", States: { S: pass } }),
    "definition.QueryLanguage: is JSONPath; only JSONata is interpreted",
  ],
  [
    machine({ S: { ...pass, QueryLanguage: "JSONPath" } }),
    "definition.States.S.QueryLanguage: is JSONPath; only JSONata is interpreted",
  ],
  [machine({ S: pass }, { Tracing: {} }), "definition.Tracing: is a field this interpreter does not know"],
  [machine({ S: pass }, { StartAt: "T" }), "definition.StartAt: names no state: T"],
  [
    machine({ S: { Type: "Activity" } }),
    'definition.States.S.Type: is "Activity"; known are Pass, Wait, Succeed, Fail, Choice, Task, Parallel, Map',
  ],
  [
    machine({ S: { ...pass, ResultPath: "$" } }),
    "definition.States.S.ResultPath: is a JSONPath field; only QueryLanguage JSONata is interpreted",
  ],
  [
    machine({ S: task({ TimeoutSecondsPath: "{% 1 %}" }) }),
    "definition.States.S.TimeoutSecondsPath: is a JSONPath field; only QueryLanguage JSONata is interpreted",
  ],
  [
    machine({ S: task({ Credentials: {} }) }),
    "definition.States.S.Credentials: is a field this interpreter does not know",
  ],
  [
    machine({ S: { ...pass, Output: { "a.$": "$.b" } } }),
    "definition.States.S.Output.a.$: is a JSONPath field, and this is JSONata",
  ],
  [
    machine({ S: { ...pass, Output: "{% 1 + %}" } }),
    "definition.States.S.Output: the JSONata expression '1 +' does not parse: Unexpected end of expression",
  ],
  [machine({ S: { ...pass, Output: ["{% 1"] } }), "definition.States.S.Output[0]: {% 1 has only one of {% and %}"],
  [machine({ S: { Type: "Pass" } }), "definition.States.S: must have either Next or End: true"],
  [machine({ S: { ...pass, End: undefined, Next: "T" } }), "definition.States.S: goes to T, which is no state here"],
  [
    machine({ S: task({ Catch: [{ ErrorEquals: ["E"], Next: "T" }] }) }),
    "definition.States.S: goes to T, which is no state here",
  ],
  [
    machine({ S: { ...pass, Assign: { states: 1 } } }),
    "definition.States.S.Assign.states: is not a name a variable may have",
  ],
  [machine({ S: { Type: "Wait", End: true } }), "definition.States.S: must have one of Seconds and Timestamp"],
  [
    machine({ S: { Type: "Wait", Seconds: "5", End: true } }),
    'definition.States.S.Seconds: is "5"; it must be a number or a JSONata expression',
  ],
  [
    machine({ S: { Type: "Wait", Seconds: 0.5, End: true } }),
    "definition.States.S.Seconds: is 0.5; it must be a number from 0 to 99999999",
  ],

  [machine({ S: { Type: "Choice", Choices: [] } }), "definition.States.S.Choices: must not be empty"],
  [
    machine({ S: { Type: "Choice", Choices: [{ Variable: "$.a", Next: "S" }] } }),
    "definition.States.S.Choices[0].Variable: is a field this interpreter does not know",
  ],
  [
    machine({ S: task({ Retry: [{ ErrorEquals: ["States.ALL", "E"] }] }) }),
    "definition.States.S.Retry[0].ErrorEquals: States.ALL must stand alone and in the last entry",
  ],
  [
    machine({ S: task({ Retry: [{ ErrorEquals: ["E"], MaxAttempts: -1 }] }) }),
    "definition.States.S.Retry[0].MaxAttempts: is -1; it must be a number from 0 to 99999999",
  ],
  [
    machine({ S: task({ HeartbeatSeconds: 5, TimeoutSeconds: 5 }) }),
    "definition.States.S.HeartbeatSeconds: must be smaller than TimeoutSeconds",
  ],
  [
    resource("arn:aws:states:::ecs:runTask.sync"),
    "definition.States.S.Resource: the Resource arn:aws:states:::ecs:runTask.sync: .sync is not interpreted, use .sync:2",
  ],
  [
    resource("arn:aws:states:::sqs:sendMessage"),
    "definition.States.S.Resource: the Resource arn:aws:states:::sqs:sendMessage is an integration this interpreter does not know",
  ],
  [
    resource("arn:aws:states:::aws-sdk:iam:getRole"),
    "definition.States.S.Resource: the Resource arn:aws:states:::aws-sdk:iam:getRole is an integration this interpreter does not know",
  ],
  [
    resource("arn:aws:states:::aws-sdk:ssm:sendCommand.sync:2"),
    "definition.States.S.Resource: the Resource arn:aws:states:::aws-sdk:ssm:sendCommand.sync:2 is an integration this interpreter does not know",
  ],
  [
    resource("arn:aws:states:eu-west-1:1:activity:a"),
    "definition.States.S.Resource: the Resource arn:aws:states:eu-west-1:1:activity:a is not an ARN this interpreter knows",
  ],
  [
    machine({
      S: task({ Resource: "arn:aws:states:::lambda:invoke", Arguments: { FunctionName: "f", Qualifier: "1" } }),
    }),
    "definition.States.S.Arguments.Qualifier: is a parameter this interpreter does not know",
  ],
  [
    machine({
      S: task({
        Resource: "arn:aws:states:::lambda:invoke",
        Arguments: { FunctionName: "f", InvocationType: "Event" },
      }),
    }),
    "definition.States.S.Arguments.InvocationType: is not RequestResponse, the only one interpreted",
  ],
  [machine({ S: map({ Label: "x" }) }), "definition.States.S.Label: needs ProcessorConfig.Mode DISTRIBUTED"],
  [
    machine({ S: map({}, { Mode: "DISTRIBUTED", ExecutionType: "EXPRESS" }) }),
    "definition.States.S.ItemProcessor.ProcessorConfig.ExecutionType: must be STANDARD, the only one interpreted",
  ],
  [machine({ S: map({ ResultWriter: {} }, distributed) }), "definition.States.S.ResultWriter: must not be empty"],
  [
    machine({ S: map({ ItemReader: { Resource: "arn:aws:states:::s3:listObjectsV2" } }, distributed) }),
    "definition.States.S.ItemReader.Resource: is arn:aws:states:::s3:listObjectsV2; only arn:aws:states:::s3:getObject is interpreted",
  ],
  [
    machine({
      S: map(
        {
          ItemReader: { Resource: "arn:aws:states:::s3:getObject", ReaderConfig: { InputType: "CSV" }, Arguments: {} },
        },
        distributed,
      ),
    }),
    "definition.States.S.ItemReader.ReaderConfig.InputType: must be JSON here",
  ],
  [machine({ S: map({}), I: pass }), "definition.States.I: is the name of another state too"],
  [
    machine({
      S: {
        ...map({}),
        ItemProcessor: { StartAt: "I", States: { I: { ...pass, Assign: { v: 1 } } } },
        Assign: { v: 2 },
      },
    }),
    "I.Assign.v: is already a variable of an outer scope",
  ],
])("%s is refused by name", (text, message) => {
  expect(() => loadDefinition(text)).toThrow(new RegExp(`^${message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`));
});

test("a child of a Distributed Map may use the names of its parent's variables", () => {
  const states = { I: { ...pass, Assign: { v: 1 } } };
  const S = {
    ...map({}),
    ItemProcessor: { ProcessorConfig: distributed, StartAt: "I", States: states },
    Assign: { v: 2 },
  };
  expect([...loadDefinition(machine({ S })).states.keys()]).toEqual(["S"]);
});
