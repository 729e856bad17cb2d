import { describe, expect, test } from "vitest";
import type { HostReport, RunReport } from "../../../contract/run.ts";
import { nextCommands } from "../../../lambdas/fleet/next-commands.ts";
import { noticeOf } from "../../../lambdas/fleet/notice.ts";
import { slackMessage, webhookAddress } from "../../../lambdas/fleet/slack-message.ts";
import { REPORT } from "./report-sample.ts";

const MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:AutoPatch-PatchFleet";
const PLACE = {
  region: "eu-west-1",
  account: "111122223333",
  bucket: "bucket",
  reportPage: "runs/run-1/report.html",
  documentPrefix: "Prod-",
  patchFleetArn: MACHINE,
};
const [committed, , , , lost] = REPORT.hosts as [HostReport, HostReport, HostReport, HostReport, HostReport];
const start = (input: string) =>
  `aws stepfunctions start-execution --state-machine-arn ${MACHINE} --input '${input}' --region eu-west-1`;
const commands = (report: RunReport) => nextCommands(report, PLACE).map(({ command }) => command);
const COPY = "aws s3 cp s3://bucket/runs/run-1/report.html report.html --region eu-west-1";

describe("what to type next", () => {
  test("hosts in doubt are looked at, and those that did not get through go again", () => {
    expect(nextCommands({ ...REPORT, outcome: "partial" }, PLACE)).toEqual([
      { what: "the report", command: COPY },
      {
        what: "where the host in doubt stands",
        command:
          "aws ssm send-command --document-name Prod-AutoPatch-RunShowStatus --instance-ids i-00000005 --region eu-west-1",
      },
      {
        what: "and on the host itself",
        command: "aws ssm start-session --target i-00000005 --region eu-west-1",
      },
      {
        what: "once they are mended, those hosts again",
        command: start('{"instanceIds":["i-00000003","i-00000004","i-00000005"]}'),
      },
    ]);
  });

  test.each(["stopped", "failed"] as const)("after a run that %s, what is left of it", (outcome) => {
    expect(commands({ ...REPORT, outcome }).at(-1)).toBe(start('{"resume":"run-1"}'));
  });

  test("after a run that went well, the report alone", () => {
    expect(commands({ ...REPORT, outcome: "succeeded", hosts: [committed] })).toEqual([COPY]);
  });

  test("after a dry run, the same hosts in earnest", () => {
    const hosts = [{ ...committed, outcome: "planned" as const }];
    expect(commands({ ...REPORT, dryRun: true, hosts }).at(-1)).toBe(start('{"instanceIds":["i-00000001"]}'));
  });

  test("after a run that broke before it knew its hosts, nothing that changes one", () => {
    expect(commands({ ...REPORT, outcome: "failed", hosts: [] })).toEqual([COPY, start('{"dryRun":true}')]);
  });

  test("more hosts than a command takes are not all named", () => {
    const hosts = Array.from({ length: 120 }, (_, i) => ({ ...lost, instanceId: `i-${String(10_000_000 + i)}` }));
    const [, look = "", session, again] = commands({ ...REPORT, outcome: "partial", hosts });
    expect(look.match(/i-1/g)).toHaveLength(50);
    expect(session).toBe("aws ssm start-session --target i-10000000 --region eu-west-1");
    expect(again).toBe(start("{}"));
  });
});

test("a message says what, where, on which hosts, which CVEs, and what to type", () => {
  const { body } = noticeOf(REPORT, PLACE);

  expect(body).toContain(
    "Run run-1, full-update, fleet default in eu-west-1 of account 111122223333, 2026-01-02T03:00:00.000Z to 2026-01-02T03:20:00.000Z.",
  );
  expect(body).toContain("\nCVEs fixed on 2 hosts: CVE-2025-9230, CVE-2025-15467, CVE-2025-23419\n");
  expect(body).toContain("\nCVEs open again on 1 host: CVE-2025-9230, CVE-2025-15467, CVE-2025-23419\n");
  expect(body).toContain(`\nWhat to type next:\n  # the report\n  ${COPY}\n`);
  expect(body.split("\n").at(-1)).toBe("Everything else is in s3://bucket/runs/run-1/report.html");
});

test("a message fits into SNS whatever the hosts say, and still ends with where the rest is", () => {
  const message = "é".repeat(100_000);
  const hosts = Array.from({ length: 30 }, (_, i) => ({
    ...lost,
    name: "ł".repeat(20_000),
    instanceId: `i-${10_000_000 + i}`,
    failure: { step: "install" as const, code: "noAnswer" as const, message },
  }));

  const { body } = noticeOf({ ...REPORT, hosts, leftOut: [] }, PLACE);

  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(262_144);
  expect(body).not.toContain("\uFFFD");
  expect(body.split("\n").slice(-2)).toEqual(["…", "Everything else is in s3://bucket/runs/run-1/report.html"]);
});

test("Slack gets the beginning and the end, and nothing that it would take for markup", () => {
  const body = [
    ...Array.from({ length: 200 }, (_, i) => `<!channel> & web-${i} failed`),
    "Everything else is in s3://b/r",
  ].join("\n");

  const { text } = slackMessage({ subject: "AutoPatch web: stopped", body });

  const lines = text.split("\n");
  expect(lines.slice(0, 2)).toEqual(["*AutoPatch web: stopped*", "&lt;!channel&gt; &amp; web-0 failed"]);
  expect(lines.slice(-2)).toEqual(["…", "Everything else is in s3://b/r"]);
  expect(text.length).toBeLessThan(6_000);
  expect(slackMessage({ subject: "s", body: "a\nb" }).text).toBe("*s*\na\nb");
});

describe("the address in the secret", () => {
  test("is taken without the blanks around it", () => {
    expect(webhookAddress(" https://hooks.slack.com/services/T0/B0/x\n").href).toBe(
      "https://hooks.slack.com/services/T0/B0/x",
    );
  });

  test.each([
    ["http://hooks.slack.com/services/T0/B0/hush", "does not begin with https://"],
    ["https://user:hush@hooks.slack.com/", "has a user or a password in it"],
    ['{"url":"https://hooks.slack.com/services/hush"}', "store the webhook's address alone, as plain text"],
    ["hush", "holds no address"],
    ["", "holds no address"],
  ])("%j is refused, and not repeated", (secret, why) => {
    expect(() => webhookAddress(secret)).toThrow(why);
    expect(() => webhookAddress(secret)).not.toThrow("hush");
  });
});
