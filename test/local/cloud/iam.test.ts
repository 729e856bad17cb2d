import { describe, expect, test } from "vitest";
import { readPolicies } from "../../../local/cloud/iam.ts";
import { nameResources, pseudoParameters } from "../../../local/cloud/resources.ts";

const place = { account: "123456789012", region: "eu-west-1", stackName: "S" };
const resources = {
  Role: { Type: "AWS::IAM::Role", Properties: { RoleName: "dispatch" } },
  Inline: {
    Type: "AWS::IAM::Policy",
    Properties: {
      Roles: [{ Ref: "Role" }],
      PolicyDocument: {
        Statement: [
          { Effect: "Allow", Action: "ssm:SendCommand", Resource: "arn:aws:ssm:*:*:document/AutoPatch-*" },
          {
            Effect: "Allow",
            Action: "ssm:SendCommand",
            Resource: "arn:aws:ec2:*:*:instance/*",
            Condition: { StringEquals: { "ssm:resourceTag/AutoPatchEnabled": "true" } },
          },
          { Effect: "Allow", Action: ["s3:*"], Resource: "*" },
          { Effect: "Deny", Action: "s3:DeleteObject*", Resource: "arn:aws:s3:::data/locked/*" },
        ],
      },
    },
  },
  Hosts: {
    Type: "AWS::IAM::ManagedPolicy",
    Properties: {
      ManagedPolicyName: "hosts",
      PolicyDocument: {
        Statement: [{ Effect: "Allow", Action: "s3:PutObject", Resource: "arn:aws:s3:::data/hosts/${aws:userid}/*" }],
      },
    },
  },
};
const scope = { physical: nameResources(resources, place), pseudo: pseudoParameters(place) };
const policies = readPolicies(resources, scope);
const ask = (action: string, resource: string, context: Record<string, string> = {}) =>
  policies.roleAllows("dispatch", { action, resource, context });

describe("policies decide as IAM does", () => {
  test("an action is allowed on the named resource only", () => {
    expect(ask("ssm:SendCommand", "arn:aws:ssm:eu-west-1:1:document/AutoPatch-Install")).toBe(true);
    expect(ask("ssm:sendcommand", "arn:aws:ssm:eu-west-1:1:document/AutoPatch-Install")).toBe(true);
    expect(ask("ssm:SendCommand", "arn:aws:ssm:eu-west-1:1:document/AWS-RunShellScript")).toBe(false);
    expect(ask("ssm:CancelCommand", "arn:aws:ssm:eu-west-1:1:document/AutoPatch-Install")).toBe(false);
  });

  test("a condition needs its key present and equal", () => {
    const instance = "arn:aws:ec2:eu-west-1:1:instance/i-1";
    expect(ask("ssm:SendCommand", instance, { "ssm:resourceTag/AutoPatchEnabled": "true" })).toBe(true);
    expect(ask("ssm:SendCommand", instance, { "ssm:resourceTag/AutoPatchEnabled": "no" })).toBe(false);
    expect(ask("ssm:SendCommand", instance)).toBe(false);
  });

  test("deny wins over allow", () => {
    expect(ask("s3:DeleteObject", "arn:aws:s3:::data/free/x")).toBe(true);
    expect(ask("s3:DeleteObjectVersion", "arn:aws:s3:::data/locked/x")).toBe(false);
  });

  test("a policy variable confines a host to its own prefix", () => {
    const put = (key: string) =>
      policies.managedPolicyAllows("arn:aws:iam::123456789012:policy/hosts", {
        action: "s3:PutObject",
        resource: `arn:aws:s3:::data/${key}`,
        context: { "aws:userid": "AROA1:i-1" },
      });
    expect(put("hosts/AROA1:i-1/runs/r/x.json")).toBe(true);
    expect(put("hosts/AROA1:i-2/runs/r/x.json")).toBe(false);
    expect(put("hosts/AROA1:i-11/x")).toBe(false);
  });

  test("what is not known here is refused by name", () => {
    const odd = {
      P: {
        Type: "AWS::IAM::Policy",
        Properties: {
          Roles: ["r"],
          PolicyDocument: { Statement: [{ Effect: "Allow", NotAction: "s3:*", Resource: "*" }] },
        },
      },
    };
    expect(() => readPolicies(odd, { physical: new Map(), pseudo: {} })).toThrow(
      "policy element NotAction is not known",
    );
  });
});
