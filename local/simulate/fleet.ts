import type { FaultRates } from "./faults.ts";
import { type HostFault, SimulatedHost } from "./host.ts";
import { sequence } from "./random.ts";

/** How often things go wrong with --faults. */
export const FLEET_FAULTS: FaultRates = {
  lost: 0.05,
  doubled: 0.05,
  late: 0.1,
  early: 0.1,
  throttled: 0.02,
  crashed: 0.02,
};
/** Share of the hosts that misbehave, each in one of these ways in turn; the canary does not, or there were nothing to see. */
const BAD_SHARE = 0.01;
const BAD: readonly HostFault[] = [
  { kind: "fails", step: "preflight", code: "diskTooFull", rolledBack: false },
  { kind: "fails", step: "install", code: "maintainerScriptFailed", rolledBack: true },
  { kind: "fails", step: "validate", code: "unhealthy", rolledBack: false },
  { kind: "hangs", step: "rehearse" },
  { kind: "hangs", step: "install" },
  { kind: "vanishes", step: "download" },
  { kind: "vanishes", step: "install" },
  { kind: "gone", step: "backup" },
  { kind: "gone", step: "commit" },
  { kind: "garbage", step: "verify" },
  { kind: "garbage", step: "install" },
];

/** So many hosts, the same for the same seed. */
export function simulatedFleet(count: number, seed: number, hasFaults: boolean): SimulatedHost[] {
  const fraction = sequence(seed ^ 0x5f3759df);
  let bad = 0;
  return Array.from({ length: count }, (_, index) => {
    const isBad = fraction() < BAD_SHARE && hasFaults && index > 0;
    const fault = isBad ? (BAD[bad++ % BAD.length] ?? null) : null;
    const id = `i-${(0x1000_0000 + index).toString(16)}`;
    return new SimulatedHost(id, `host-${String(index).padStart(6, "0")}`, seed + index, fault);
  });
}
