import type { ItemBatcher, ItemReader, MapState } from "./definition.ts";
import { SdkError, StateFailure } from "./errors.ts";
import { evaluate, evaluateAs, evaluateNumber, queryFailure } from "./evaluate.ts";
import { isJsonObject, type Json, type JsonObject, jsonBytes, jsonTypeOf } from "./json.ts";
import { frameOf, type Visit } from "./run.ts";
import { unlessAborted } from "./waiting.ts";

/** The items a Map goes over when it does not read them from S3: Items, or the state's input. */
export async function itemsOf(visit: Visit<MapState>): Promise<Json[]> {
  const frame = frameOf(visit);
  if (visit.state.items !== undefined) return (await evaluateAs("array", visit.state.items, "Items", frame)) as Json[];
  if (Array.isArray(visit.input)) return visit.input;
  const was = jsonTypeOf(visit.input);
  throw queryFailure(`The state input is of type '${was}', but a Map without Items needs an 'array'.`, "Items", frame);
}

/** Reads a JSON array from S3. @throws StateFailure States.ItemReaderFailed */
export async function readItems(visit: Visit<MapState>, reader: ItemReader): Promise<Json[]> {
  const { ports } = visit.branch.run;
  const { signal } = visit.branch;
  const frame = frameOf(visit);
  const args = await evaluate(reader.arguments, "ItemReader/Arguments", frame);
  const maxItems =
    reader.maxItems === undefined
      ? 0
      : await evaluateNumber(reader.maxItems, "ItemReader/ReaderConfig/MaxItems", frame);
  let items: Json;
  try {
    const object = (await unlessAborted(ports.sdk("s3", "getObject", args, signal), signal)) as { Body?: unknown };
    items = JSON.parse(String(object.Body)) as Json;
  } catch (error) {
    if (!(error instanceof SdkError || error instanceof SyntaxError)) throw error;
    throw new StateFailure("States.ItemReaderFailed", error.message);
  }
  if (!Array.isArray(items))
    throw new StateFailure("States.ItemReaderFailed", "Attempting to map over non-iterable node.");
  return maxItems === 0 ? items : items.slice(0, maxItems);
}

/** Applies ItemSelector to each item, with `$states.context.Map.Item` as Index and Value. */
export async function selectItems(visit: Visit<MapState>, items: readonly Json[]): Promise<Json[]> {
  const selector = visit.state.itemSelector;
  if (selector === undefined) return [...items];
  const selected: Json[] = [];
  for (const [index, value] of items.entries()) {
    const frame = frameOf(visit, { context: { Map: { Item: { Index: index, Value: value } } } });
    selected.push(await evaluate(selector, "ItemSelector", frame));
  }
  return selected;
}

/** A child's input and the number of items in it. */
export interface Batch {
  readonly input: Json;
  readonly items: number;
}

/** Puts items into batches: `{ BatchInput?, Items: [...] }` each, or one item a child without an ItemBatcher. */
export async function batchItems(
  visit: Visit<MapState>,
  batcher: ItemBatcher | undefined,
  items: readonly Json[],
): Promise<Batch[]> {
  if (batcher === undefined) return items.map((input) => ({ input, items: 1 }));
  const frame = frameOf(visit);
  const most = await evaluateNumber(batcher.maxItemsPerBatch ?? items.length, "ItemBatcher/MaxItemsPerBatch", frame);
  const bytes = await evaluateNumber(
    batcher.maxInputBytesPerBatch ?? 262_144,
    "ItemBatcher/MaxInputBytesPerBatch",
    frame,
  );
  const base: JsonObject =
    batcher.batchInput === undefined
      ? {}
      : { BatchInput: await evaluate(batcher.batchInput, "ItemBatcher/BatchInput", frame) };
  const batches: { input: JsonObject & { Items: Json[] }; items: number }[] = [];
  for (const item of items) {
    const last = batches.at(-1);
    const grown = last === undefined ? undefined : { ...last.input, Items: [...last.input.Items, item] };
    if (last !== undefined && grown !== undefined && last.items < most && jsonBytes(grown) <= bytes) {
      last.input = grown;
      last.items += 1;
    } else batches.push({ input: { ...base, Items: [item] }, items: 1 });
  }
  return batches;
}

/** An object with only string values, as Bucket and Prefix come. */
export function stringField(value: Json, name: string): string | undefined {
  const field = isJsonObject(value) ? value[name] : undefined;
  return typeof field === "string" ? field : undefined;
}
