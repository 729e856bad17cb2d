import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { EXIT } from "../../contract/failures.ts";
import { KEYS } from "../../contract/names.ts";
import { RunReport, type RunRequest } from "../../contract/run.ts";
import type { FleetConfig } from "../../infra/config.ts";
import { renderReportPage } from "../../lambdas/fleet/report-page.ts";
import { LEFT_OUT } from "../hosts/fingerprint.ts";
import { compareFingerprints } from "../hosts/fingerprint-comparison.ts";
import { type Artefact, artefactsOf } from "./artefacts.ts";
import { type Display, openDisplay } from "./display.ts";
import type { Options } from "./options.ts";
import { installedVersions, problemsOf, type SeenHost, seeHost } from "./outcome.ts";
import { Phases, type TimedPhase } from "./phases.ts";
import { lostEdits, type Stage, setStage } from "./stage.ts";
import { STORY_ERROR_BUDGET, storyHosts, storyOutcome } from "./story.ts";
import { hostTable, timeTable } from "./table.ts";
import { watchRun } from "./watch.ts";

/** What `--json` writes: the run's report with what was seen from outside beside it. */
export interface LocalReport extends Omit<RunReport, "hosts"> {
  readonly hosts: readonly SeenHost[];
  /** Empty when everything seen agrees with the report and the story. */
  readonly problems: readonly string[];
  /** Paths left out of the comparison, and why. */
  readonly leftOutOfComparison: Readonly<Record<string, string>>;
  /** What of cdk.out ran. */
  readonly artefacts: readonly Artefact[];
  readonly timings: readonly TimedPhase[];
}

export interface Surroundings {
  readonly repository: string;
  readonly config: FleetConfig;
  readonly output: { readonly isTTY: boolean; readonly columns: number; write(text: string): void };
  readonly color: boolean;
  readonly closing: AsyncDisposableStack;
  readonly signal: AbortSignal;
  log(line: string): void;
  /** Resolves when the person has seen enough of `--serve`. */
  served(): Promise<void>;
}

/** The whole of `npm start`, once the machine has what it needs. @returns exit code */
export async function runLocally(options: Options, surroundings: Surroundings): Promise<number> {
  const { output, closing } = surroundings;
  const began = performance.now();
  const elapsed = () => performance.now() - began;
  const phases = new Phases(elapsed);
  const story = storyHosts(options.hosts, options.packages);
  const display = openDisplay(output, story, elapsed, surroundings.color);
  closing.defer(() => display.close());

  const stage = await setStage({ ...surroundings, options, story, phases, say: (text) => display.phase(text) });
  const artefacts = artefactsOf(stage.assembly, stage.cloud.deployment);
  for (const line of artefactLines(artefacts)) display.phase(line);
  const run = await phases.measure("run", () => carryOut(stage, options, surroundings.config, display));
  const hosts = await phases.measure("comparison from outside", () => lookAtHosts(stage, run, options));
  display.close();

  const problems = problemsOf(run, hosts, options.dryRun ? "succeeded" : storyOutcome(story));
  const report: LocalReport = {
    ...run,
    hosts,
    problems,
    leftOutOfComparison: LEFT_OUT,
    artefacts,
    timings: phases.all,
  };
  writeReports(options, report, run);
  output.write(`\n${summary(report, output.columns)}`);
  if (options.keep) output.write(`\nkept: ${stage.folder}\n`);
  if (options.serve) {
    output.write(`\n${serveHelp(stage)}`);
    await surroundings.served();
  }
  return problems.length === 0 ? EXIT.ok : EXIT.runNotClean;
}

async function carryOut({ cloud }: Stage, options: Options, config: FleetConfig, display: Display): Promise<RunReport> {
  const stateMachineArn = cloud.deployment.outputs.PatchFleetArn ?? "";
  const name = `local-${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}`;
  const request: RunRequest = {
    dryRun: options.dryRun,
    waves: { canary: 1, steps: [1], errorBudget: STORY_ERROR_BUDGET, bakeSeconds: 2 },
  };
  const { executionArn } = cloud.machines.startExecution({ stateMachineArn, name, input: JSON.stringify(request) });
  watchRun(cloud, { executionArn, runId: name, documentPrefix: config.documentPrefix }, (event) =>
    display.event(event),
  );
  const ended = await cloud.machines.finished(executionArn);
  const text = await cloud.readObject(KEYS.report(name));
  if (text === null)
    throw new Error(`the run ended ${ended.status} without a report: ${ended.error ?? ""} ${ended.cause ?? ""}`);
  return RunReport.parse(JSON.parse(text));
}

async function lookAtHosts(stage: Stage, run: RunReport, options: Options): Promise<SeenHost[]> {
  const seen = stage.hosts.map(async (staged) => {
    const reported = run.hosts.find(({ instanceId }) => instanceId === staged.story.instanceId);
    if (reported === undefined) return [];
    const after = await staged.host.fingerprint();
    const view = {
      comparison: compareFingerprints(staged.before, after),
      installed: installedVersions(after),
      lostEdits: lostEdits(staged, after),
    };
    return [
      seeHost(reported, view, {
        role: staged.story.role,
        expected: options.dryRun ? "planned" : staged.story.expected,
      }),
    ];
  });
  return (await Promise.all(seen)).flat();
}

function writeReports(options: Options, report: LocalReport, run: RunReport): void {
  if (options.json !== null) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.html === null) return;
  const outside = report.hosts.map(({ instanceId, comparison }) => {
    const seen = {
      identical: comparison.different === 0,
      compared: comparison.compared,
      differences: comparison.different,
    };
    return [instanceId, seen] as const;
  });
  writeFileSync(options.html, renderReportPage(run, new Map(outside)));
}

function artefactLines(artefacts: readonly Artefact[]): string[] {
  return [
    "this run uses, unchanged, from cdk.out (first 16 digits of SHA-256):",
    ...artefacts.map(({ kind, name, file, sha256 }) => {
      const where = kind === "function" ? ` in ${file.slice(0, 18)}…/${basename(file)}` : "";
      return `  ${sha256.slice(0, 16)} ${kind} ${name}${where}`;
    }),
  ];
}

function summary(report: LocalReport, columns: number): string {
  const waves = report.waves.map(({ name }) => name);
  const verdicts = report.waves.flatMap(({ name, verdicts }) =>
    verdicts.map(({ phase, decision, reason }) => `  ${name}, after ${phase}: ${decision}, ${reason}`),
  );
  const problems = report.problems.map((problem) => `  PROBLEM ${problem}`);
  return [
    report.sentence,
    "",
    hostTable(report.hosts, waves, columns),
    "",
    ...verdicts,
    ...(problems.length === 0 ? [] : ["", ...problems]),
    "",
    "where the time went (phases may run side by side):",
    timeTable(report.timings),
    "",
  ].join("\n");
}

function serveHelp({ cloud }: Stage): string {
  const { accessKeyId, secretAccessKey } = cloud.operator.credentials;
  const { outputs, place } = cloud.deployment;
  return `the endpoints stay up until Ctrl-C; in another terminal:
  export AWS_ENDPOINT_URL=${cloud.url} AWS_REGION=${place.region}
  export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey}
  aws stepfunctions list-executions --state-machine-arn ${outputs.PatchFleetArn}
  aws ssm list-command-invocations --details
  aws s3 ls --recursive s3://${outputs.BucketName}/
  aws cloudwatch list-metrics
  aws sns list-topics
aws before 2.13 does not read AWS_ENDPOINT_URL: give it --endpoint-url $AWS_ENDPOINT_URL.
`;
}
