import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Sandbox } from "../../agent/host/sandbox/sandbox.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import type { Blow } from "./plan.ts";

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/**
 * Strikes a host with SIGKILL, from outside.
 * @param choice which child, 0 to 1
 * @returns names of what died; none when there was nothing of the kind at that moment
 */
export async function strike(sandbox: Sandbox, blow: Blow, choice: number): Promise<string[]> {
  if (blow === "power") {
    const names = processes(sandbox).map(nameOf);
    await sandbox.reboot();
    return names;
  }
  const found = targets(processes(sandbox), blow, choice);
  for (const { pid } of found) kill(sandbox, pid);
  // What was forked meanwhile belongs to the tree too.
  if (blow === "tree")
    for (let rest = processes(sandbox); rest.length > 0; rest = processes(sandbox))
      for (const p of rest) kill(sandbox, p.pid);
  return found.map(nameOf);
}

function targets(all: readonly Process[], blow: Blow, choice: number): Process[] {
  const isAgent = (p: Process) => p.command.startsWith(`${HOST_PATHS.executable} `);
  if (blow === "tree") return [...all];
  if (blow === "agent") return all.filter(isAgent);
  const agents = new Set(all.filter(isAgent).map((p) => p.pid));
  const below = new Set<number>(agents);
  for (let size = -1; size !== below.size; ) {
    size = below.size;
    for (const p of all) if (below.has(p.parent)) below.add(p.pid);
  }
  const children = all.filter((p) => below.has(p.pid) && !agents.has(p.pid));
  return children.slice(Math.floor(choice * children.length)).slice(0, 1);
}

/** Every living process of the sandbox but its PID 1, by the machine's numbers. */
export function processes(sandbox: Sandbox): Process[] {
  const namespace = readlinkSync(`/proc/${sandbox.pid}/ns/pid`);
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === sandbox.pid) return [];
    try {
      if (readlinkSync(`/proc/${name}/ns/pid`) !== namespace) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      const [state, parent] = readFileSync(`/proc/${name}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      return state === "Z" || state === "X" ? [] : [{ pid: Number(name), parent: Number(parent), command }];
    } catch {
      // It ended between the listing and the look.
      return [];
    }
  });
}

function kill(sandbox: Sandbox, pid: number): void {
  try {
    // The number may have gone to another program of this machine by now.
    if (readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync(`/proc/${sandbox.pid}/ns/pid`))
      process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}

function nameOf({ command }: Process): string {
  const [file = "", ...words] = command.trim().split(" ");
  const script = words.find((word) => /\.(preinst|postinst|prerm|postrm)$|\/tmp\.ci\//.test(word));
  return (script ?? file).replace(/^.*\//, "");
}
