import { Failure } from "../../contract/failures.ts";
import { requireEnded } from "./ended.ts";
import type { Machine } from "./machine.ts";

/**
 * Whether apt is to hold Release files to their Valid-Until date. A host that lives on a frozen mirror says no in its apt.conf;
 * nothing but its administrator can.
 */
export async function holdsValidUntil(machine: Machine): Promise<boolean> {
  const name = "Acquire::Check-Valid-Until";
  const result = await machine.exec("apt-config", ["dump", "--format", "%v%n", name], { deadlineMs: 10_000 });
  if (requireEnded(result).exitCode !== 0)
    throw new Failure("resolverFailed", `apt-config dump ${name}: ${result.stderr.trim()}`);
  return !/^(no|false|without|off|disable|0)$/i.test(result.stdout.trim());
}

/** Path of the host's own apt preferences. @throws Failure `resolverFailed` */
export async function preferencesFile(machine: Machine): Promise<string> {
  const name = "Dir::Etc::preferences";
  const result = await machine.exec("apt-config", ["shell", "FILE", `${name}/f`], { deadlineMs: 10_000 });
  const path = /^FILE='([^']*)'$/m.exec(result.stdout)?.[1];
  if (requireEnded(result).exitCode !== 0 || path === undefined)
    throw new Failure("resolverFailed", `apt-config shell ${name}: ${result.stderr.trim() || "it names no file"}`);
  return path;
}

/** Settings of apt that switch a guard off, and the value that does. */
const INSECURE: readonly (readonly [name: string, value: RegExp])[] = [
  ["APT::Get::AllowUnauthenticated", /^(yes|true|with|on|enable|1)$/i],
  ["Acquire::AllowInsecureRepositories", /^(yes|true|with|on|enable|1)$/i],
  ["Acquire::AllowWeakRepositories", /^(yes|true|with|on|enable|1)$/i],
  ["Acquire::AllowDowngradeToInsecureRepositories", /^(yes|true|with|on|enable|1)$/i],
  ["Acquire::Check-Valid-Until", /^(no|false|without|off|disable|0)$/i],
  ["Acquire::https::Verify-Peer", /^(no|false|without|off|disable|0)$/i],
  ["Acquire::https::Verify-Host", /^(no|false|without|off|disable|0)$/i],
];

/** Lines of apt's configuration that switch a guard off. @throws Failure `resolverFailed` */
export async function insecureAptSettings(machine: Machine): Promise<string[]> {
  const names = INSECURE.map(([name]) => name);
  const result = await machine.exec("apt-config", ["dump", "--format", "%F %v%n", ...names], { deadlineMs: 10_000 });
  if (result.exitCode !== 0) throw new Failure("resolverFailed", `apt-config dump: ${result.stderr.trim()}`);
  return result.stdout.split("\n").filter((line) => {
    const [name = "", value = ""] = line.split(" ");
    return INSECURE.some(([known, off]) => known.toLowerCase() === name.toLowerCase() && off.test(value));
  });
}
