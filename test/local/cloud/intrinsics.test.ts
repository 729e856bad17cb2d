import { expect, test } from "vitest";
import { resolve } from "../../../local/cloud/intrinsics.ts";
import { nameResources, pseudoParameters } from "../../../local/cloud/resources.ts";

const place = { account: "123456789012", region: "eu-west-1", stackName: "AutoPatch" };
const physical = nameResources(
  {
    Data: { Type: "AWS::S3::Bucket", Properties: { BucketName: { "Fn::Sub": "autopatch-${AWS::AccountId}" } } },
    Runner: { Type: "AWS::StepFunctions::StateMachine" },
  },
  place,
);
const scope = { physical, pseudo: pseudoParameters(place) };

test.each([
  [{ Ref: "Data" }, "autopatch-123456789012"],
  [{ "Fn::GetAtt": ["Data", "Arn"] }, "arn:aws:s3:::autopatch-123456789012"],
  [{ "Fn::Join": ["", [{ "Fn::GetAtt": ["Data", "Arn"] }, "/*"]] }, "arn:aws:s3:::autopatch-123456789012/*"],
  [{ "Fn::Sub": "${AWS::Region}/${Data.Arn}/${!kept}" }, "eu-west-1/arn:aws:s3:::autopatch-123456789012/${kept}"],
  [{ "Fn::Sub": ["${a}-${Data}", { a: { Ref: "AWS::Partition" } }] }, "aws-autopatch-123456789012"],
  [{ "Fn::Select": [1, { "Fn::Split": [":", "a:b:c"] }] }, "b"],
  [{ list: [{ Ref: "AWS::NoValue" }, 1], gone: { Ref: "AWS::NoValue" } }, { list: [1] }],
])("%j", (value, expected) => {
  expect(resolve(value, scope)).toEqual(expected);
});

test("what is not known here is refused by name", () => {
  expect(() => resolve({ Ref: "Missing" }, scope)).toThrow("Ref Missing: no such resource");
  expect(() => resolve({ "Fn::GetAtt": ["Data", "Colour"] }, scope)).toThrow("Fn::GetAtt Data.Colour: not known");
  expect(() => resolve({ "Fn::ImportValue": "x" }, scope)).toThrow("Fn::ImportValue is not known");
  expect(() => nameResources({ X: { Type: "AWS::EC2::VPC" }, Y: { Type: "Custom::Thing" } }, place)).toThrow(
    "the local stack does not know these resource types: AWS::EC2::VPC, Custom::Thing",
  );
});
