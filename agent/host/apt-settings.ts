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

/** Path of the host's own apt preferences. @throws Failure `resolverFailed` */
export async function preferencesFile(machine: Machine): Promise<string> {
  const name = "Dir::Etc::preferences";
  const result = await machine.exec("apt-config", ["shell", "FILE", `${name}/f`], { deadlineMs: 10_000 });
  const path = /^FILE='([^']*)'$/m.exec(result.stdout)?.[1];
  if (result.exitCode !== 0 || path === undefined)
    throw new Failure("resolverFailed", `apt-config shell ${name}: ${result.stderr.trim() || "it names no file"}`);
  return path;
}
