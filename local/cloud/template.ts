import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly Metadata?: Readonly<Record<string, unknown>>;
}

/** A synthesised stack: its template, and where its assets lie. */
export interface Assembly {
  readonly stackName: string;
  readonly folder: string;
  readonly templateFile: string;
  readonly resources: Readonly<Record<string, Resource>>;
  readonly outputs: Readonly<Record<string, { readonly Value: unknown }>>;
  /** Folder of a file asset by the S3 key that the template names. */
  assetFolder(objectKey: string): string;
}

/** The part of a cloud assembly's files that is read here; formats of CDK's cloud-assembly-schema. */
interface Manifest {
  artifacts: Record<string, { type: string; properties?: { templateFile?: string; stackName?: string } }>;
}
interface Template {
  Resources: Record<string, Resource>;
  Outputs?: Record<string, { Value: unknown }>;
}
interface AssetManifest {
  files: Record<string, { source: { path: string }; destinations: Record<string, { objectKey: string }> }>;
}

/**
 * Reads what `cdk synth` wrote, unchanged.
 * @param folder the cdk.out folder
 * @throws Error when the stack is not in it
 */
export function readAssembly(folder: string, stackName: string): Assembly {
  const json = <T>(file: string) => JSON.parse(readFileSync(join(folder, file), "utf8")) as T;
  const { artifacts } = json<Manifest>("manifest.json");
  const [id, stack] =
    Object.entries(artifacts).find(
      ([key, a]) => a.type === "aws:cloudformation:stack" && (a.properties?.stackName ?? key) === stackName,
    ) ?? [];
  const templateFile = stack?.properties?.templateFile;
  if (id === undefined || templateFile === undefined)
    throw new Error(`${folder}: no stack ${stackName} in it; run npm run synth`);
  const { files } = json<AssetManifest>(`${id}.assets.json`);
  const folders = new Map<string, string>();
  for (const { source, destinations } of Object.values(files)) {
    for (const { objectKey } of Object.values(destinations)) folders.set(objectKey, join(folder, source.path));
  }
  const template = json<Template>(templateFile);
  return {
    stackName,
    folder,
    templateFile,
    resources: template.Resources,
    outputs: template.Outputs ?? {},
    assetFolder(objectKey) {
      const found = folders.get(objectKey);
      if (found === undefined) throw new Error(`${id}.assets.json: no asset ${objectKey}`);
      return found;
    },
  };
}

/** SHA-256 of a file of the assembly, in hexadecimal. */
export function sha256File(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
