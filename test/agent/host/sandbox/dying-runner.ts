// A runner of its own, started by tests that kill it: opens a sandbox, leaves a process in it and tells its PID.
import { openSandbox } from "../../../../agent/host/sandbox/sandbox.ts";

const [layer, workspace] = process.argv.slice(2) as [string, string];
const sandbox = await openSandbox({ layers: [layer], workspace, network: "shared" });
await sandbox.exec("sh", ["-c", "setsid sleep 600 >/dev/null 2>&1 & echo running > /var/lib/state"], {
  deadlineMs: 10_000,
});
process.stdout.write(`${JSON.stringify({ pid: sandbox.pid, privilege: sandbox.privilege })}\n`);
setInterval(() => {}, 1000);
