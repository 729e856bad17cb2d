import type { MapState, ResultWriter, Transformation } from "./definition.ts";
import { SdkError, StateFailure } from "./errors.ts";
import { evaluate } from "./evaluate.ts";
import type { ExecutionRecord } from "./execution-record.ts";
import type { Json, JsonObject } from "./json.ts";
import { stringField } from "./map-items.ts";
import type { MapRunRecord } from "./map-run-record.ts";
import { frameOf, type Visit } from "./run.ts";
import { unlessAborted } from "./waiting.ts";

/**
 * The result of a Map Run: where its results were written, or the children's outputs in the order of the items. A
 * tolerated failure stands in that list as the description of its execution.
 */
export async function mapResult(
  visit: Visit<MapState>,
  writer: ResultWriter | undefined,
  mapRun: MapRunRecord,
): Promise<Json> {
  if (writer?.arguments !== undefined) {
    const place = await placeOf(visit, writer.arguments, mapRun);
    return {
      MapRunArn: mapRun.arn,
      ResultWriterDetails: { Bucket: place.bucket, Key: `${place.folder}/manifest.json` },
    };
  }
  return render(childrenInOrder(mapRun), writer?.transformation ?? "COMPACT");
}

/** Writes SUCCEEDED_0, FAILED_0, PENDING_0 and the manifest. @throws StateFailure States.ResultWriterFailed */
export async function writeResults(
  visit: Visit<MapState>,
  args: Json,
  writer: Pick<ResultWriter, "transformation" | "lines">,
  mapRun: MapRunRecord,
): Promise<void> {
  const { bucket, folder } = await placeOf(visit, args, mapRun);
  const children = childrenInOrder(mapRun);
  const started = new Set(mapRun.children.keys());
  const groups: Record<string, Json[]> = {
    FAILED: children.filter((child) => child.status !== "SUCCEEDED").map(entry),
    PENDING: mapRun.batches.filter((_, index) => !started.has(index)).map(({ input }) => pendingEntry(input)),
    SUCCEEDED: render(
      children.filter((child) => child.status === "SUCCEEDED"),
      writer.transformation,
    ),
  };
  const resultFiles: JsonObject = {};
  for (const [status, entries] of Object.entries(groups)) {
    if (entries.length === 0) {
      resultFiles[status] = [];
      continue;
    }
    const key = `${folder}/${status}_0.${writer.lines ? "jsonl" : "json"}`;
    const body = writer.lines ? entries.map((item) => `${JSON.stringify(item)}\n`).join("") : JSON.stringify(entries);
    await put(visit, bucket, key, body);
    resultFiles[status] = [{ Key: key, Size: Buffer.byteLength(body, "utf8") }];
  }
  const manifest = { DestinationBucket: bucket, MapRunArn: mapRun.arn, ResultFiles: resultFiles };
  await put(visit, bucket, `${folder}/manifest.json`, JSON.stringify(manifest));
}

async function placeOf(
  visit: Visit<MapState>,
  args: Json,
  mapRun: MapRunRecord,
): Promise<{ bucket: string; folder: string }> {
  const place = await evaluate(args, "ResultWriter/Arguments", frameOf(visit));
  const bucket = stringField(place, "Bucket");
  if (bucket === undefined)
    throw new StateFailure("States.ResultWriterFailed", "ResultWriter/Arguments/Bucket is missing.");
  const id = mapRun.arn.slice(mapRun.arn.lastIndexOf(":") + 1);
  const prefix = (stringField(place, "Prefix") ?? "").replace(/\/$/, "");
  return { bucket, folder: prefix === "" ? id : `${prefix}/${id}` };
}

async function put(visit: Visit, bucket: string, key: string, body: string): Promise<void> {
  const { signal, run } = visit.branch;
  try {
    await unlessAborted(run.ports.sdk("s3", "putObject", { Bucket: bucket, Key: key, Body: body }, signal), signal);
  } catch (error) {
    if (!(error instanceof SdkError)) throw error;
    throw new StateFailure("States.ResultWriterFailed", `${error.code}: ${error.message}`);
  }
}

function childrenInOrder(mapRun: MapRunRecord): ExecutionRecord[] {
  return [...mapRun.children].sort(([one], [other]) => one - other).map(([, child]) => child);
}

function render(children: readonly ExecutionRecord[], transformation: Transformation): Json[] {
  const shown = children.map((child) =>
    transformation === "NONE" || child.status !== "SUCCEEDED" ? entry(child) : (child.output ?? null),
  );
  return transformation === "FLATTEN" ? shown.flat(1) : shown;
}

function entry(child: ExecutionRecord): JsonObject {
  return {
    ...(child.cause === undefined ? {} : { Cause: child.cause }),
    ...(child.error === undefined ? {} : { Error: child.error }),
    ExecutionArn: child.arn,
    Input: JSON.stringify(child.input),
    InputDetails: { Included: true },
    Name: child.name,
    ...(child.output === undefined ? {} : { Output: JSON.stringify(child.output), OutputDetails: { Included: true } }),
    StartDate: child.startDate.toISOString(),
    StateMachineArn: child.stateMachineArn,
    Status: child.status,
    ...(child.stopDate === undefined ? {} : { StopDate: child.stopDate.toISOString() }),
  };
}

function pendingEntry(input: Json): JsonObject {
  return { Input: JSON.stringify(input), InputDetails: { Included: true }, Status: "PENDING" };
}
