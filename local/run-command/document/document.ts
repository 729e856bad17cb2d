import { z } from "zod";

/** A parameter as a Command document defines it. Null counts as absent and unknown fields are passed over, as the agent does. */
const Parameter = z.object({
  type: text(),
  default: z.unknown().optional(),
  allowedPattern: text(),
  allowedValues: z.array(z.unknown()).nullish(),
});

const Step = z.object({
  action: text(),
  name: text(),
  inputs: z.unknown().optional(),
  precondition: z.record(z.string(), z.array(z.string())).nullish(),
});

const CommandDocument = z.object({
  schemaVersion: text(),
  parameters: z.record(z.string(), Parameter).nullish(),
  mainSteps: z.array(Step).nullish(),
});

function text() {
  return z
    .string()
    .nullish()
    .transform((value) => value ?? "");
}

export type ParameterDefinition = z.infer<typeof Parameter>;
export type DocumentStep = z.infer<typeof Step>;
export interface CommandDocument {
  readonly schemaVersion: string;
  readonly parameters: Readonly<Record<string, ParameterDefinition>>;
  readonly mainSteps: readonly DocumentStep[];
}

/** The agent refuses the document before any step; the message is what it reports as the document's trace. */
export class DocumentRefused extends Error {
  override readonly name = "DocumentRefused";
}

/** The real agent would run this, the local one does not: nothing is passed over in silence. */
export class NotModelled extends Error {
  override readonly name = "NotModelled";
}

/** Schema versions that the agent runs and the local stack does not. */
const OTHER_VERSIONS = ["1.0", "1.2", "2.0", "2.0.1", "2.0.2", "2.0.3"];

/**
 * Reads the content of a Command document, already parsed as JSON.
 * @throws DocumentRefused as the agent refuses it; NotModelled for schema versions other than 2.2.
 */
export function readDocument(content: unknown): CommandDocument {
  const parsed = CommandDocument.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DocumentRefused(`document content: ${issue?.path.join(".")}: ${issue?.message}`);
  }
  const { schemaVersion, parameters, mainSteps } = parsed.data;
  if (OTHER_VERSIONS.includes(schemaVersion)) {
    throw new NotModelled(`document schema version ${schemaVersion} is not run by the local stack; write it as 2.2`);
  }
  if (schemaVersion !== "2.2") {
    throw new DocumentRefused(
      `Document with schema version ${schemaVersion} is not supported by this version of ssm agent, please update to latest version`,
    );
  }
  return { schemaVersion, parameters: parameters ?? {}, mainSteps: mainSteps ?? [] };
}
