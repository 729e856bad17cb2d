import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { EXIT } from "../../contract/failures.ts";
import type { RunReport } from "../../contract/run.ts";
import type { FleetConfig } from "../../infra/config.ts";
import { renderReportPage } from "../../lambdas/fleet/report-page.ts";
import { LEFT_OUT } from "../hosts/fingerprint.ts";
import { compareFingerprints } from "../hosts/fingerprint-comparison.ts";
import { type Artefact, artefactsOf } from "./artefacts.ts";
import { openDisplay } from "./display.ts";
import type { Options } from "./options.ts";
import { installedVersions, problemsOf, type SeenHost, seeHost } from "./outcome.ts";
import { Phases, type TimedPhase } from "./phases.ts";
import { openPlay } from "./play.ts";
import { lostEdits, type Stage, setStage } from "./stage.ts";
import { storyHosts } from "./story.ts";
import { hostTable, timeTable } from "./table.ts";

/** What `--json` writes: the run's report with what was seen from outside beside it. */
export interface LocalReport extends Omit<RunReport, "hosts"> {
  readonly scenario: string;
  /** What the scenario's operator did, in order. */
  readonly told: readonly string[];
  /** Reports of the runs before this one, where the scenario has several. */
  readonly runsBefore: readonly RunReport[];
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
  const { scenario } = options;
  const story = scenario.hosts?.(options) ?? storyHosts(options.hosts, options.packages);
  const display = openDisplay(output, story, elapsed, surroundings.color);
  closing.defer(() => display.close());

  const stage = await setStage({ ...surroundings, options, story, phases, say: (text) => display.phase(text) });
  const artefacts = artefactsOf(stage.assembly, stage.cloud.deployment);
  for (const line of artefactLines(artefacts)) display.phase(line);
  const told: string[] = [];
  const play = openPlay({
    cloud: stage.cloud,
    sample: stage.sample,
    hosts: stage.hosts,
    options,
    config: surroundings.config,
    show: (event) => display.event(event),
    tell: (text) => {
      told.push(text);
      display.phase(`operator: ${text}`);
    },
  });
  const played = await phases.measure("run", () => scenario.play(play));
  const run = played.runs.at(-1);
  if (run === undefined) throw new Error(`scenario ${scenario.name}: it has started no run`);
  const hosts = await phases.measure("comparison from outside", () => lookAtHosts(stage, played.runs));
  display.close();

  const problems = [...problemsOf(run, hosts, scenario.outcome(options, story)), ...played.problems];
  const report: LocalReport = {
    ...run,
    scenario: scenario.name,
    told,
    runsBefore: played.runs.slice(0, -1),
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

/** Each host against the last run that went to it. */
async function lookAtHosts(stage: Stage, runs: readonly RunReport[]): Promise<SeenHost[]> {
  const seen = stage.hosts.map(async (staged) => {
    const { role, expected, instanceId } = staged.story;
    const last = runs.findLast(({ hosts }) => hosts.some((host) => host.instanceId === instanceId));
    const reported = last?.hosts.find((host) => host.instanceId === instanceId);
    if (last === undefined || reported === undefined) return [];
    const after = await staged.host.fingerprint();
    const view = {
      comparison: compareFingerprints(staged.before, after),
      installed: installedVersions(after),
      lostEdits: lostEdits(staged, after),
    };
    const waveName = last.waves.find(({ index }) => index === reported.wave)?.name ?? String(reported.wave);
    return [seeHost(reported, view, { role, waveName, expected: last.dryRun ? ["planned"] : expected })];
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
    verdicts.map(
      ({ phase, decision, reason, before }) =>
        `  ${name}, ${before === true ? "before" : "after"} ${phase}: ${decision}, ${reason}`,
    ),
  );
  const approvals = (report.approvals ?? []).flatMap(({ wave, verdict, at, digest, decisions }) => [
    `  ${waves[wave] ?? wave}: ${verdict} ${at}, plan ${digest.slice(0, 12)}…`,
    ...decisions.map(
      ({ by, decision, reason }) => `    ${decision ?? "stop"} by ${by}${reason === "" ? "" : `: ${reason}`}`,
    ),
  ]);
  const problems = report.problems.map((problem) => `  PROBLEM ${problem}`);
  return [
    ...(report.told.length === 0 ? [] : [...report.told.map((line) => `operator: ${line}`), ""]),
    ...report.runsBefore.map(({ runId, sentence }) => `${runId}: ${sentence}`),
    report.sentence,
    "",
    hostTable(report.hosts, columns),
    "",
    ...verdicts,
    ...(approvals.length === 0 ? [] : ["", "approvals:", ...approvals]),
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
