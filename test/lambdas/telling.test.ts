import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { KEYS } from "../../contract/names.ts";
import { COLLECTIONS, REPORT, VERDICTS } from "./fleet/report-sample.ts";
import { openWire, wire } from "./run-fleet.ts";
import { SNAPSHOT } from "./snapshot.ts";
import { WireError } from "./wire.ts";

const ADDRESS = "https://hooks.slack.test/services/T0AAAAAAA/B0BBBBBBB/hushhushhushhush";
const SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:slack-AbCdEf";
let close: () => Promise<void>;
let printed: string[];
let logged: string[];
beforeAll(async () => {
  close = await openWire();
});
afterAll(() => close());
beforeEach(() => {
  wire.reset();
  printed = [];
  logged = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
  vi.spyOn(console, "log").mockImplementation((text) => void logged.push(String(text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});
const handler = async (name: string) =>
  ((await import(`../../lambdas/handlers/${name}.ts`)) as { handler(event: unknown): Promise<unknown> }).handler;

describe("report", () => {
  const puts = () => {
    const calls: Record<string, unknown>[] = [];
    wire.calls.set("PutComplianceItems", (input) => {
      if (input.ResourceId === "i-00000005") throw new WireError("InvalidResourceId");
      calls.push(input);
    });
    return calls;
  };
  const metrics: { MetricData: { Dimensions: { Name: string }[] }[] }[] = [];
  beforeEach(() => {
    metrics.length = 0;
    wire.objects.set(KEYS.snapshot("run-1"), JSON.stringify(SNAPSHOT));
    for (const [index, collection] of COLLECTIONS.entries()) {
      const wave = collection.results[0]?.instanceId === "i-00000001" ? 0 : 1;
      const key = KEYS.commandResults("run-1", wave, index, collection.command, 1);
      wire.objects.set(key, JSON.stringify(collection));
    }
    for (const verdict of VERDICTS)
      wire.objects.set(KEYS.verdict("run-1", verdict.wave, verdict.phase), JSON.stringify(verdict));
    wire.calls.set("PutMetricData", (input) => void metrics.push(input as (typeof metrics)[number]));
  });
  const run = async () => (await handler("report"))({ runId: "run-1", error: null });

  test("each host's compliance is told once, and a host that cannot be told of holds nobody up", async () => {
    const told = puts();

    expect(await run()).toMatchObject({ outcome: "stopped" });
    expect(told.map(({ ResourceId }) => ResourceId).sort()).toEqual([
      "i-00000001",
      "i-00000002",
      "i-00000003",
      "i-00000004",
    ]);
    expect(told.find(({ ResourceId }) => ResourceId === "i-00000001")).toEqual({
      ResourceId: "i-00000001",
      ResourceType: "ManagedInstance",
      ComplianceType: "Custom:AutoPatch",
      ExecutionSummary: { ExecutionTime: expect.any(Number), ExecutionId: "run-1", ExecutionType: "Command" },
      ItemContentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      Items: [
        {
          Id: "AutoPatch",
          Title: "AutoPatch: committed",
          Severity: "INFORMATIONAL",
          Status: "COMPLIANT",
          Details: { Outcome: "committed", PendingUpdates: "0", PendingSecurityUpdates: "0" },
        },
      ],
    });
    expect(logged.map((line) => JSON.parse(line))).toEqual([
      {
        runId: "run-1",
        message: "compliance not told",
        hosts: 1,
        first: [{ instanceId: "i-00000005", why: "InvalidResourceId: InvalidResourceId" }],
      },
    ]);

    // Of the same hosts as they were, the next run tells but the one that was left.
    told.length = 0;
    await run();
    expect([told, wire.log.filter((call) => call === "PutComplianceItems")]).toEqual([
      [],
      Array(6).fill("PutComplianceItems"),
    ]);
  });

  test("a ledger that is damaged costs calls, and is written anew", async () => {
    wire.objects.set(KEYS.compliance("default"), "{}".repeat(3));
    const told = puts();

    expect(await run()).toMatchObject({ outcome: "stopped" });
    expect(told).toHaveLength(4);
    expect(Object.keys(wire.json(KEYS.compliance("default")) as object)).toHaveLength(4);
  });

  test("timings and outcomes are lines of the log, with nothing before their JSON", async () => {
    puts();

    await run();

    const lines = printed.map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(printed.every((text) => text.startsWith('{"_aws":') && text.endsWith("}\n"))).toBe(true);
    expect(lines.filter(({ HostsByOutcome }) => HostsByOutcome !== undefined)).toHaveLength(3);
    expect(lines.filter(({ Phase }) => Phase === "apply").map(({ wave }) => wave)).toEqual(["canary", "wave 1"]);
  });

  test("metrics by instance go out only where they are wanted", async () => {
    puts();
    const dimensions = () =>
      new Set(metrics.flatMap(({ MetricData }) => MetricData.flatMap((one) => one.Dimensions.map(({ Name }) => Name))));

    await run();
    expect(dimensions()).toEqual(new Set(["Fleet"]));

    vi.stubEnv("AUTOPATCH_INSTANCE_METRICS", "true");
    await run();
    expect(dimensions()).toEqual(new Set(["Fleet", "InstanceId"]));
  });
});

describe("notify", () => {
  const published: Record<string, unknown>[] = [];
  let posted: { readonly url: string; readonly body: string }[];
  beforeEach(() => {
    published.length = 0;
    posted = [];
    wire.objects.set(KEYS.report("run-1"), JSON.stringify(REPORT));
    wire.calls.set("Publish", (input) => {
      published.push(input);
      return "<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>";
    });
    wire.calls.set("GetSecretValue", ({ SecretId }) => ({ ARN: SecretId, Name: "slack", SecretString: ADDRESS }));
  });
  /** Stands for the network beyond the Lambda: what would go to Slack ends here. */
  const slackAnswers = (status: number, text: string) =>
    vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
      posted.push({ url: url.href, body: String(init.body) });
      return new Response(text, { status });
    });
  const run = async () => {
    const { runId, outcome, sentence } = REPORT;
    const report = { runId, outcome, sentence, reportKey: KEYS.report(runId) };
    return (await handler("notify"))({ report });
  };

  test("people are told by SNS; nobody asks for a secret where none is configured", async () => {
    expect(await run()).toEqual({ messageId: "m-1" });
    expect(published).toMatchObject([{ Subject: expect.stringMatching(/^AutoPatch default: Stopped/) }]);
    expect(published[0]?.Message).toContain("in eu-west-1 of account 111122223333");
    expect(wire.log).not.toContain("GetSecretValue");
  });

  test("with a webhook Slack is told too", async () => {
    vi.stubEnv("AUTOPATCH_SLACK_SECRET", SECRET);
    slackAnswers(200, "ok");

    expect(await run()).toEqual({ messageId: "m-1", slack: "sent" });
    expect(posted.map(({ url }) => url)).toEqual([ADDRESS]);
    expect(JSON.parse(posted[0]?.body ?? "")).toEqual({ text: expect.stringContaining("*AutoPatch default: Stopped") });
    expect(logged).toEqual([]);
  });

  test("a Slack that refuses fails nothing, is said, and its address stands nowhere", async () => {
    vi.stubEnv("AUTOPATCH_SLACK_SECRET", SECRET);
    slackAnswers(403, `invalid_token ${ADDRESS}`);

    const answer = await run();

    expect(published).toHaveLength(1);
    expect(answer).toEqual({
      messageId: "m-1",
      slack: "not sent: hooks.slack.test answered 403 invalid_token https://hooks.slack.test/…/…/…/…",
    });
    expect(logged.map((line) => JSON.parse(line))).toMatchObject([
      { runId: "run-1", message: expect.stringContaining("answered 403") },
    ]);
    expect(logged.join() + printed.join() + JSON.stringify(answer)).not.toContain("hush");
  });

  test("a secret that may not be read is said by its name", async () => {
    vi.stubEnv("AUTOPATCH_SLACK_SECRET", "another");
    wire.calls.set("GetSecretValue", () => {
      throw new WireError("AccessDeniedException");
    });

    expect(await run()).toEqual({
      messageId: "m-1",
      slack: "not sent: secret another: AccessDeniedException: AccessDeniedException",
    });
  });
});
