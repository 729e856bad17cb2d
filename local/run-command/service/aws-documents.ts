import type { StoredDocument } from "./documents.ts";

/**
 * AWS-RunShellScript, which every account has. AWS keeps it in schema 1.2; this is the same in 2.2: its one step is called as the
 * plugin is there, so that answers name it alike. It has no parameter `timeoutSeconds`.
 */
export const AWS_RUN_SHELL_SCRIPT: StoredDocument = {
  name: "AWS-RunShellScript",
  owner: "Amazon",
  createdAt: new Date("2015-10-13T00:00:00Z"),
  content: JSON.stringify({
    schemaVersion: "2.2",
    description: "Run a shell script or specify the commands to run.",
    parameters: {
      commands: { type: "StringList", minItems: 1 },
      workingDirectory: { type: "String", default: "", maxChars: 4096 },
      executionTimeout: {
        type: "String",
        default: "3600",
        allowedPattern: "^([1-9][0-9]{0,4}|1[0-6][0-9]{4}|17[0-1][0-9]{3}|172[0-7][0-9]{2}|172800)$",
      },
    },
    mainSteps: [
      {
        action: "aws:runShellScript",
        name: "aws:runShellScript",
        inputs: {
          runCommand: "{{ commands }}",
          workingDirectory: "{{ workingDirectory }}",
          timeoutSeconds: "{{ executionTimeout }}",
        },
      },
    ],
  }),
};
