import { requireEnded } from "./ended.ts";
import { lstatOrNull, onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

const SSHD = "/usr/sbin/sshd";

/** Whether an ssh server is installed. */
export function hasSshd(machine: Pick<Machine, "root">): boolean {
  return lstatOrNull(onMachine(machine, SSHD)) !== null;
}

/** What sshd would do, its own defaults included: each setting's values, the names in lower case. @throws Error with sshd's words */
export async function sshdSettings(machine: Machine): Promise<ReadonlyMap<string, string>> {
  const result = requireEnded(await machine.exec(SSHD, ["-T"], { deadlineMs: 10_000 }));
  if (result.exitCode !== 0) throw new Error(`sshd -T: ${result.stderr.trim()}`);
  return parseSshdSettings(result.stdout);
}

/** Pure: the first line of a setting counts, as with sshd. */
export function parseSshdSettings(stdout: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of stdout.split("\n")) {
    const space = line.indexOf(" ");
    const name = line.slice(0, space).toLowerCase();
    if (space > 0 && !settings.has(name)) settings.set(name, line.slice(space + 1).trim());
  }
  return settings;
}
