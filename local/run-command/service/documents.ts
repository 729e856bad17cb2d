import { z } from "zod";
import { AwsError } from "../../endpoints/aws-error.ts";
import { readDocument } from "../document/document.ts";
import { goPattern } from "../document/go-text.ts";
import { bindParameters, substitute } from "../document/parameters.ts";
import { timeoutSeconds } from "../document/step-inputs.ts";

/** A Command document as it lies in the account. */
export interface StoredDocument {
  readonly name: string;
  /** JSON text. */
  readonly content: string;
  readonly createdAt: Date;
  /** @default the account itself */
  readonly owner?: "Amazon";
}

const Limit = z.union([z.number(), z.string().transform(Number)]).optional();
const Content = z.object({
  schemaVersion: z.string(),
  parameters: z
    .record(
      z.string(),
      z.object({
        type: z.string(),
        default: z.unknown().optional(),
        allowedPattern: z.string().optional(),
        allowedValues: z.array(z.unknown()).optional(),
        minChars: Limit,
        maxChars: Limit,
        minItems: Limit,
        maxItems: Limit,
      }),
    )
    .default({}),
  mainSteps: z.array(z.object({ name: z.string(), action: z.string(), inputs: z.unknown().optional() })),
});

/** The documents of the account, by name. */
export class Documents {
  readonly #byName: ReadonlyMap<string, StoredDocument>;

  /** @throws Error naming the document that the agent would refuse or the local stack does not run */
  constructor(documents: readonly StoredDocument[]) {
    for (const { name, content } of documents) {
      try {
        readDocument(JSON.parse(content));
      } catch (error) {
        throw new Error(`document ${name}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    }
    this.#byName = new Map(documents.map((document) => [document.name, document]));
  }

  /** By name or ARN. @throws AwsError InvalidDocument */
  get(nameOrArn: string): StoredDocument {
    const name = nameOrArn.replace(/^arn:[^/]*:document\//, "");
    const found = this.#byName.get(name);
    if (found === undefined) throw new AwsError("InvalidDocument", `Document with name ${name} does not exist.`);
    return found;
  }

  all(): StoredDocument[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** A document's steps and how long they may take together, in seconds. */
export function stepsOf(
  document: StoredDocument,
  sent: Readonly<Record<string, readonly string[]>>,
): { names: string[]; executionSeconds: number } {
  const { mainSteps } = Content.parse(JSON.parse(document.content));
  const values = bindParameters(readDocument(JSON.parse(document.content)).parameters, sent);
  const seconds = mainSteps.map(({ inputs }) =>
    timeoutSeconds((substitute(inputs, values) as { timeoutSeconds?: unknown })?.timeoutSeconds),
  );
  return { names: mainSteps.map((step) => step.name), executionSeconds: seconds.reduce((a, b) => a + b, 0) };
}

/**
 * The service's own look at the parameters of SendCommand. Like the agent it finds allowedPattern anywhere in a value: whoever
 * needs the whole value to match anchors the pattern.
 * @throws AwsError InvalidParameters naming the parameter
 */
export function checkParameters(document: StoredDocument, sent: Readonly<Record<string, readonly string[]>>): void {
  const { parameters } = Content.parse(JSON.parse(document.content));
  const invalid = (message: string) => new AwsError("InvalidParameters", `${document.name}: ${message}`);
  for (const name of Object.keys(sent)) {
    if (!(name in parameters)) throw invalid(`there is no parameter ${name}`);
  }
  for (const [name, definition] of Object.entries(parameters)) {
    const values = sent[name];
    if (values === undefined) {
      if (definition.default === undefined) throw invalid(`parameter ${name} is missing and has no default`);
      continue;
    }
    if (definition.type !== "StringList" && values.length !== 1) {
      throw invalid(`parameter ${name} is a ${definition.type} and takes one value, not ${values.length}`);
    }
    const {
      minItems = 0,
      maxItems = Number.POSITIVE_INFINITY,
      minChars = 0,
      maxChars = Number.POSITIVE_INFINITY,
    } = definition;
    if (values.length < minItems || values.length > maxItems) {
      throw invalid(`parameter ${name} has ${values.length} values, allowed are ${minItems} to ${maxItems}`);
    }
    for (const value of values) {
      if (value.length < minChars || value.length > maxChars) {
        throw invalid(`parameter ${name} has ${value.length} characters, allowed are ${minChars} to ${maxChars}`);
      }
      const { allowedPattern = "", allowedValues = [] } = definition;
      const pattern = goPattern(allowedPattern);
      if ("refused" in pattern || !pattern.matches(value)) {
        throw invalid(`parameter ${name} does not match the allowed pattern ${allowedPattern}`);
      }
      if (allowedValues.length > 0 && !allowedValues.map(String).includes(value)) {
        throw invalid(`parameter ${name} is not one of ${allowedValues.map(String).join(", ")}`);
      }
    }
  }
}
