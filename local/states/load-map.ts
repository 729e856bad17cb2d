import type { Distribution, ItemBatcher, ItemReader, MapState, ResultWriter } from "./definition.ts";
import { DefinitionError } from "./errors.ts";
import { Fields } from "./fields.ts";
import { loadSequence, requireJsonata } from "./load.ts";

export const MAP_FIELDS = [
  "ItemProcessor",
  "Items",
  "ItemReader",
  "ItemSelector",
  "ItemBatcher",
  "MaxConcurrency",
  "ToleratedFailureCount",
  "ToleratedFailurePercentage",
  "ResultWriter",
  "Label",
] as const;

const DISTRIBUTED_ONLY = [
  "ItemReader",
  "ItemBatcher",
  "ToleratedFailureCount",
  "ToleratedFailurePercentage",
  "ResultWriter",
  "Label",
];
const LABEL = /^[A-Za-z0-9_.-]{1,40}$/;

type OwnFields = Pick<MapState, "type" | "processor" | "items" | "itemSelector" | "maxConcurrency" | "distributed">;

/** Reads what is a Map's own. @throws DefinitionError, also for fields of the distributed mode on an inline Map. */
export function loadMap(fields: Fields, taken: Set<string>): OwnFields {
  const known = ["ProcessorConfig", "StartAt", "States", "Comment", "QueryLanguage"];
  const processor = new Fields(fields.raw("ItemProcessor"), fields.at("ItemProcessor"), known);
  requireJsonata(processor, "JSONata");
  const config = new Fields(processor.raw("ProcessorConfig") ?? {}, processor.at("ProcessorConfig"), [
    "Mode",
    "ExecutionType",
  ]);
  const distributed = config.oneOf("Mode", ["INLINE", "DISTRIBUTED"], "INLINE") === "DISTRIBUTED";
  if (distributed && config.optionalString("ExecutionType") !== "STANDARD") {
    throw new DefinitionError(config.at("ExecutionType"), "must be STANDARD, the only one interpreted");
  }
  const misplaced = distributed ? undefined : DISTRIBUTED_ONLY.find((name) => fields.has(name));
  if (misplaced !== undefined)
    throw new DefinitionError(fields.at(misplaced), "needs ProcessorConfig.Mode DISTRIBUTED");
  if (fields.has("Items") && fields.has("ItemReader")) {
    throw new DefinitionError(fields.where, "has both Items and ItemReader");
  }
  return {
    type: "Map",
    processor: loadSequence(processor, taken),
    items: fields.template("Items"),
    itemSelector: fields.template("ItemSelector"),
    maxConcurrency: fields.numberField("MaxConcurrency", { min: 0, whole: true }),
    distributed: distributed ? loadDistribution(fields) : undefined,
  };
}

function loadDistribution(fields: Fields): Distribution {
  const label = fields.optionalString("Label");
  if (label !== undefined && !LABEL.test(label))
    throw new DefinitionError(fields.at("Label"), `is ${label}, not a label`);
  return {
    label,
    reader: fields.has("ItemReader") ? loadReader(fields) : undefined,
    batcher: fields.has("ItemBatcher") ? loadBatcher(fields) : undefined,
    toleratedFailureCount: fields.numberField("ToleratedFailureCount", { min: 0, whole: true }),
    toleratedFailurePercentage: fields.numberField("ToleratedFailurePercentage", { min: 0, whole: false }),
    writer: fields.has("ResultWriter") ? loadWriter(fields) : undefined,
  };
}

function loadReader(fields: Fields): ItemReader {
  const reader = new Fields(fields.raw("ItemReader"), fields.at("ItemReader"), [
    "Resource",
    "ReaderConfig",
    "Arguments",
  ]);
  requireResource(reader, "s3:getObject");
  const config = new Fields(reader.raw("ReaderConfig"), reader.at("ReaderConfig"), ["InputType", "MaxItems"]);
  if (config.string("InputType") !== "JSON") throw new DefinitionError(config.at("InputType"), "must be JSON here");
  const args = reader.template("Arguments");
  if (args === undefined) throw new DefinitionError(reader.at("Arguments"), "is required");
  return { arguments: args, maxItems: config.numberField("MaxItems", { min: 0, whole: true }) };
}

function loadBatcher(fields: Fields): ItemBatcher {
  const known = ["MaxItemsPerBatch", "MaxInputBytesPerBatch", "BatchInput"];
  const batcher = new Fields(fields.raw("ItemBatcher"), fields.at("ItemBatcher"), known);
  const limits = {
    maxItemsPerBatch: batcher.numberField("MaxItemsPerBatch", { min: 1, whole: true }),
    maxInputBytesPerBatch: batcher.numberField("MaxInputBytesPerBatch", { min: 1, whole: true }),
  };
  if (limits.maxItemsPerBatch === undefined && limits.maxInputBytesPerBatch === undefined) {
    throw new DefinitionError(batcher.where, "needs MaxItemsPerBatch or MaxInputBytesPerBatch");
  }
  return { ...limits, batchInput: batcher.template("BatchInput") };
}

function loadWriter(fields: Fields): ResultWriter {
  const writer = new Fields(fields.raw("ResultWriter"), fields.at("ResultWriter"), [
    "Resource",
    "Arguments",
    "WriterConfig",
  ]);
  const exports = writer.has("Resource") || writer.has("Arguments");
  if (exports) requireResource(writer, "s3:putObject");
  const args = writer.template("Arguments");
  if (exports && args === undefined) throw new DefinitionError(writer.at("Arguments"), "is required");
  if (!exports && !writer.has("WriterConfig")) throw new DefinitionError(writer.where, "must not be empty");
  const config = new Fields(writer.raw("WriterConfig") ?? {}, writer.at("WriterConfig"), [
    "Transformation",
    "OutputType",
  ]);
  return {
    arguments: args,
    transformation: config.oneOf("Transformation", ["NONE", "COMPACT", "FLATTEN"], "NONE"),
    lines: config.oneOf("OutputType", ["JSON", "JSONL"], "JSON") === "JSONL",
  };
}

function requireResource(fields: Fields, action: string): void {
  const resource = fields.string("Resource");
  if (!new RegExp(`^arn:aws[a-z-]*:states:::${action}$`).test(resource)) {
    throw new DefinitionError(fields.at("Resource"), `is ${resource}; only arn:aws:states:::${action} is interpreted`);
  }
}
