import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { synthesise } from "../../infra/synthesise.ts";
import { type Deployment, deploy } from "../cloud/deployment.ts";
import { readAssembly } from "../cloud/template.ts";

/** The stack as synthesised with this configuration, ready to be simulated; nothing is left on disk. */
export function deployed(config: object = {}): Deployment {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-simulate-"));
  try {
    synthesise(folder, config);
    const assembly = readAssembly(folder, "AutoPatch");
    return deploy(assembly, { account: "111122223333", region: "eu-west-1", stackName: "AutoPatch" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
