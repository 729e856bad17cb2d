import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { fileDigest } from "../../host/file-digest.ts";
import { onMachine } from "../../host/files.ts";
import { unitOf } from "../../host/listening.ts";
import type { Machine } from "../../host/machine.ts";

export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  /** As the kernel names it; can be changed by the process itself. */
  readonly name: string;
  readonly command: string;
  /** The program's path; ` (deleted)` behind it when its file is gone. */
  readonly program: string;
  /** SHA-256 of the very program that runs, deleted or not; null for the kernel's own threads. */
  readonly sha256: string | null;
  readonly unit: string | null;
  /** Clock ticks after boot. */
  readonly startTime: string;
}

/** Every process there is at the moment. */
export function processes(machine: Pick<Machine, "root">): SeenProcess[] {
  const hashes = new Map<string, string | null>();
  return readdirSync(onMachine(machine, "/proc"))
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const at = (file: string) => onMachine(machine, `/proc/${pid}/${file}`);
      const status = read(at("status"));
      if (status === "") return [];
      const field = (key: string) => new RegExp(`^${key}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "";
      const program = link(at("exe"));
      return [
        {
          pid: Number(pid),
          parent: Number(field("PPid")),
          uid: Number(field("Uid")),
          name: field("Name"),
          command: read(at("cmdline")).replaceAll("\0", " ").trim().slice(0, 4_096),
          program,
          sha256: program === "" ? null : digestOf(at("exe"), program, hashes),
          unit: unitOf(read(at("cgroup"))),
          startTime:
            read(at("stat"))
              .replace(/^.*\) /, "")
              .split(" ")[19] ?? "",
        },
      ];
    });
}

/** By the link in /proc: it leads to the program that runs, also when another file lies at its path by now. */
function digestOf(exe: string, program: string, known: Map<string, string | null>): string | null {
  const before = known.get(program);
  if (before !== undefined) return before;
  let found: string | null;
  try {
    found = fileDigest(exe);
  } catch {
    found = null;
  }
  if (!program.endsWith(" (deleted)")) known.set(program, found);
  return found;
}

// A process that ends meanwhile reads as empty.
function read(full: string): string {
  try {
    return readFileSync(full, "utf8");
  } catch {
    return "";
  }
}

function link(full: string): string {
  try {
    return readlinkSync(full);
  } catch {
    return "";
  }
}
