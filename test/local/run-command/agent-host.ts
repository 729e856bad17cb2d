import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSandbox } from "../../../agent/host/sandbox/sandbox.ts";
import type { AgentHost } from "../../../local/run-command/document/script.ts";

/** A copy-on-write clone of this machine for the agent to run in: nothing it does is seen outside. */
export async function cloneAsHost(): Promise<AgentHost & { close(): Promise<void> }> {
  const workspace = mkdtempSync(join(tmpdir(), "autopatch-run-command-"));
  const sandbox = await openSandbox({ layers: ["/"], workspace, network: "none" });
  return {
    exec: sandbox.exec,
    reboot: () => sandbox.reboot(),
    identity: { instanceId: "i-0123456789abcdef0", region: "us-east-1" },
    platform: { type: "linux", name: "Debian GNU/Linux", version: "12" },
    close: () => sandbox.close(),
  };
}
