import { CONTRACT_VERSION } from "../../contract/envelope.ts";
import { DEFAULT_POLICY } from "../../contract/request.ts";
import { DEFAULT_WAVES, RunTerms, type Snapshot } from "../../contract/run.ts";

const host = (number: number, name: string) => ({
  instanceId: `i-0000000${number}`,
  name,
  platform: "Debian GNU/Linux 12",
  online: true,
  lastPing: "2026-01-02T03:00:00.000Z",
});

/** A planned run: a canary, then a wave of four hosts of which half may fail. */
export const SNAPSHOT: Snapshot = {
  contractVersion: CONTRACT_VERSION,
  runId: "run-1",
  fleet: "default",
  plannedAt: "2026-01-02T03:00:00.000Z",
  dryRun: false,
  policy: DEFAULT_POLICY,
  wavePolicy: { ...DEFAULT_WAVES, steps: [1], errorBudget: 0.5, bakeSeconds: 60 },
  waves: [
    { index: 0, name: "canary", batches: [["i-00000001"]] },
    { index: 1, name: "wave 1", batches: [["i-00000002", "i-00000003", "i-00000004", "i-00000005"]] },
  ],
  hosts: [host(1, "canary-01"), host(2, "web-02"), host(3, "web-03"), host(4, "web-04"), host(5, "web-05")],
  leftOut: [],
};

/** What its batches know of it. */
export const TERMS = RunTerms.parse(SNAPSHOT);
