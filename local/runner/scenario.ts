import type { RunOutcome, RunReport, RunRequest } from "../../contract/run.ts";
import type { Cloud } from "../cloud/cloud.ts";
import type { SamplePackage } from "../hosts/sample/package.ts";
import type { Options } from "./options.ts";
import type { StoryHost } from "./story.ts";

/** A run that a scenario has started. */
export interface StartedRun {
  readonly runId: string;
  readonly executionArn: string;
  /** Resolves when PatchFleet enters this state, for the `times`-th time; at once when it already has. @throws Error when it ends before */
  entered(state: string, times?: number): Promise<void>;
  /** Resolves with the report; how the execution itself ended stands in `cloud.machines`. */
  readonly ended: Promise<RunReport>;
}

/** What a scenario can do while the local stack stands. */
export interface Play {
  readonly cloud: Cloud;
  readonly options: Options;
  /** Starts PatchFleet and shows how it goes. */
  start(request: RunRequest): StartedRun;
  /** Writes an object as the operator, who has every right that a bucket's policy leaves. */
  put(bucket: string, key: string, value: unknown): Promise<void>;
  /** Keys in a bucket. */
  keys(bucket: string, prefix: string): Promise<string[]>;
  /** What a host's agent has written into its log. */
  hostLog(name: string): string;
  /** Sum of a metric since the scenario began, as CloudWatch has it. */
  metricSum(namespace: string, name: string): Promise<number>;
  /** The sample repository, or a mirror of it, holds these from now on. */
  publish(packages: readonly SamplePackage[], mirror?: string): Promise<void>;
  /** A line of the story: on the terminal as it happens, and in the report. */
  tell(text: string): void;
}

/** What came of a scenario: its runs in order, and what it found otherwise than its story says, in words. */
export interface Played {
  readonly runs: readonly RunReport[];
  readonly problems: readonly string[];
}

/** A story of the local fleet: its hosts, its configuration, what an operator does, and what must come out. One file each in scenarios/. */
export interface Scenario {
  readonly name: string;
  /** One line for the help. */
  readonly about: string;
  /** What the person's options are over; the defaults of `npm start` where it says nothing. */
  readonly options?: Partial<Pick<Options, "hosts" | "packages" | "dryRun">>;
  /** It changes what the sample repository holds: without that there is no story. @default false */
  readonly needsSample?: boolean;
  /** Laid over the configuration of cdk.json, key by key at the top. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** @default the hosts of `npm start`, by their number and packages */
  hosts?(options: Options): StoryHost[];
  /** How the last run must end. */
  outcome(options: Options, hosts: readonly StoryHost[]): RunOutcome;
  play(play: Play): Promise<Played>;
}
