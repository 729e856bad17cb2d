import { readFileSync } from "node:fs";
import { CloudWatchClient, GetMetricStatisticsCommand } from "@aws-sdk/client-cloudwatch";
import { ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { HOST_PATHS, KEYS, METRICS } from "../../contract/names.ts";
import { RunReport, type RunRequest } from "../../contract/run.ts";
import type { FleetConfig } from "../../infra/config.ts";
import type { Cloud } from "../cloud/cloud.ts";
import { inside } from "../hosts/inside.ts";
import type { Options } from "./options.ts";
import type { RunEvent } from "./progress.ts";
import type { Play, StartedRun } from "./scenario.ts";
import type { SampleStock, StagedHost } from "./stage.ts";
import { watchHosts, watchRun } from "./watch.ts";

export interface PlayPorts {
  readonly cloud: Cloud;
  readonly options: Options;
  readonly sample: SampleStock | undefined;
  readonly hosts: readonly StagedHost[];
  readonly config: Pick<FleetConfig, "fleet" | "documentPrefix">;
  show(event: RunEvent): void;
  tell(text: string): void;
}

/** Lets a scenario act on the standing stack. */
export function openPlay({ cloud, sample, hosts, options, config, show, tell }: PlayPorts): Play {
  const began = new Date();
  let started = 0;
  watchHosts(cloud, config.documentPrefix, show);
  return {
    cloud,
    options,
    tell,
    start: (request) => {
      const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
      const runId = started === 0 ? `local-${stamp}` : `local-${stamp}-${started + 1}`;
      started++;
      return startRun(cloud, runId, request, (executionArn) => watchRun(cloud, { executionArn, runId }, show));
    },
    put: (Bucket, Key, value) =>
      asOperator(cloud, async (s3) => {
        await s3.send(new PutObjectCommand({ Bucket, Key, Body: JSON.stringify(value) }));
      }),
    keys: (Bucket, Prefix) =>
      asOperator(cloud, async (s3) => {
        const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, Prefix }));
        return Contents.flatMap(({ Key }) => (Key === undefined ? [] : [Key]));
      }),
    hostLog: (name) => {
      const root = hosts.find(({ story }) => story.name === name)?.host.sandbox.root;
      if (root === undefined) throw new Error(`no host of this stage is called ${name}`);
      return readFileSync(inside(root, `${HOST_PATHS.logs}/autopatch-manager.log`), "utf8");
    },
    metricSum: (namespace, name) => metricSum(cloud, { namespace, name, fleet: config.fleet }, began),
    publish: async (packages, mirror) => {
      const repository = mirror === undefined ? sample?.repository : sample?.mirrors.get(mirror);
      if (repository === undefined) throw new Error(`this stage has no sample repository ${mirror ?? ""}`);
      await repository.publish(packages, new Date());
    },
  };
}

async function metricSum(
  cloud: Cloud,
  { namespace, name, fleet }: { readonly namespace: string; readonly name: string; readonly fleet: string },
  since: Date,
): Promise<number> {
  const { region } = cloud.deployment.place;
  const cloudWatch = new CloudWatchClient({ endpoint: cloud.url, region, credentials: cloud.operator.credentials });
  const Period = 60;
  const minute = (at: number) => new Date(Math.floor(at / 60_000) * 60_000);
  const times = { StartTime: minute(since.getTime()), EndTime: minute(Date.now() + 60_000), Period };
  const Dimensions = [{ Name: METRICS.fleetDimension, Value: fleet }];
  try {
    const query = { Namespace: namespace, MetricName: name, Dimensions, Statistics: ["Sum" as const], ...times };
    const { Datapoints = [] } = await cloudWatch.send(new GetMetricStatisticsCommand(query));
    return Datapoints.reduce((sum, { Sum = 0 }) => sum + Sum, 0);
  } finally {
    cloudWatch.destroy();
  }
}

async function asOperator<T>(cloud: Cloud, work: (s3: S3Client) => Promise<T>): Promise<T> {
  const { region } = cloud.deployment.place;
  const { credentials } = cloud.operator;
  const s3 = new S3Client({ endpoint: cloud.url, region, forcePathStyle: true, credentials });
  try {
    return await work(s3);
  } finally {
    s3.destroy();
  }
}

function startRun(cloud: Cloud, runId: string, request: RunRequest, watch: (arn: string) => void): StartedRun {
  const stateMachineArn = cloud.deployment.outputs.PatchFleetArn ?? "";
  const { executionArn } = cloud.machines.startExecution({
    stateMachineArn,
    name: runId,
    input: JSON.stringify(request),
  });
  const entries: string[] = [];
  const waiting = new Set<() => void>();
  cloud.machines.onHistory((notice) => {
    const entered = notice.event.stateEnteredEventDetails as { name?: string } | undefined;
    if (notice.executionArn !== executionArn || entered?.name === undefined) return;
    entries.push(entered.name);
    for (const look of waiting) look();
  });
  watch(executionArn);
  const ended = cloud.machines.finished(executionArn).then(async (end) => {
    const text = await cloud.readObject(KEYS.report(runId));
    if (text === null)
      throw new Error(`the run ended ${end.status} without a report: ${end.error ?? ""} ${end.cause ?? ""}`);
    return RunReport.parse(JSON.parse(text));
  });
  // Whoever waits for the end hears of it; a scenario that waits for a state first must not end the program.
  ended.catch(() => {});
  return {
    runId,
    executionArn,
    ended,
    entered: (state, times = 1) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (entries.filter((name) => name === state).length < times) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void cloud.machines
          .finished(executionArn)
          .then(() => reject(new Error(`run ${runId} ended without ${state} for the ${times}. time`)));
      }),
  };
}
