import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { synthesise } from "../../infra/synthesise.ts";

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}
export interface Synthesised {
  readonly folder: string;
  readonly resources: Readonly<Record<string, Resource>>;
  ofType(type: string): [string, Resource][];
  remove(): void;
}

/** The stack, synthesised for a test as the local runner does it. */
export function synthesised(config: unknown = {}): Synthesised {
  const folder = synthesise(mkdtempSync(join(tmpdir(), "autopatch-synth-")), config);
  const { resources } = {
    resources: (
      JSON.parse(readFileSync(join(folder, "AutoPatch.template.json"), "utf8")) as {
        Resources: Record<string, Resource>;
      }
    ).Resources,
  };
  return {
    folder,
    resources,
    ofType: (type) => Object.entries(resources).filter(([, resource]) => resource.Type === type),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A state machine's definition, with `GetAtt` and `Ref` as `${LogicalId}`. */
export function definitionOf(resource: Resource): Record<string, unknown> {
  const text = flatten(resource.Properties.DefinitionString);
  return JSON.parse(text) as Record<string, unknown>;
}

function flatten(value: unknown): string {
  if (typeof value === "string") return value;
  const [key, argument] = Object.entries(value as Record<string, unknown>)[0] ?? [];
  if (key === "Fn::Join") return ((argument as [string, unknown[]])[1] ?? []).map(flatten).join("");
  if (key === "Fn::GetAtt") return `\${${(argument as string[])[0]}}`;
  if (key === "Ref") return argument === "AWS::Partition" ? "aws" : `\${${argument}}`;
  throw new Error(`unexpected intrinsic ${key}`);
}
