import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import type { Deployment } from "../cloud/deployment.ts";
import { type Assembly, sha256File } from "../cloud/template.ts";

/** A part of the stack that the run used, as it lies in cdk.out. */
export interface Artefact {
  readonly kind: "template" | "state machine" | "document" | "function";
  readonly name: string;
  /** Path in cdk.out; after `#` the logical id in the template. */
  readonly file: string;
  /** Of the file; of what stands in the template under the logical id, as compact JSON. */
  readonly sha256: string;
}

/** Everything of the synthesised stack that runs locally, with its hash. */
export function artefactsOf(assembly: Assembly, deployment: Deployment): Artefact[] {
  const { templateFile } = assembly;
  const inTemplate = (kind: Artefact["kind"], name: string, logicalId: string): Artefact => ({
    kind,
    name,
    file: `${templateFile}#${logicalId}`,
    sha256: createHash("sha256").update(JSON.stringify(assembly.resources[logicalId])).digest("hex"),
  });
  return [
    {
      kind: "template",
      name: assembly.stackName,
      file: templateFile,
      sha256: sha256File(join(assembly.folder, templateFile)),
    },
    ...deployment.machines.map(({ name, logicalId }) => inTemplate("state machine", name, logicalId)),
    ...deployment.documents.map(({ name, logicalId }) => inTemplate("document", name, logicalId)),
    ...deployment.functions.flatMap(({ folder, title }) =>
      readdirSync(folder)
        .filter((file) => /\.[cm]?js$/.test(file))
        .map(
          (file): Artefact => ({
            kind: "function",
            name: title,
            file: join(basename(folder), file),
            sha256: sha256File(join(folder, file)),
          }),
        ),
    ),
  ];
}
