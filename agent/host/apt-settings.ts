import { Failure } from "../../contract/failures.ts";
import type { Machine } from "./machine.ts";

/**
 * Whether apt is to hold Release files to their Valid-Until date. A host that lives on a frozen mirror says no in its apt.conf;
 * nothing but its administrator can.
 */
export async function holdsValidUntil(machine: Machine): Promise<boolean> {
  const name = "Acquire::Check-Valid-Until";
  const result = await machine.exec("apt-config", ["dump", "--format", "%v%n", name], { deadlineMs: 10_000 });
  if (result.exitCode !== 0) throw new Failure("resolverFailed", `apt-config dump ${name}: ${result.stderr.trim()}`);
  return !/^(no|false|without|off|disable|0)$/i.test(result.stdout.trim());
}
