import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { ExecResult } from "../exec.ts";
import { lstatOrNull, onMachine, ownFolder } from "../files.ts";
import type { Machine } from "../machine.ts";
import { SandboxFailure } from "./failure.ts";
import { listeningSockets, ownFileSystems } from "./machine-facts.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";

/** Where the clone sees this very program, read-only: a package may replace the installed one. */
const AGENT = "/run/autopatch/agent";
const POLICY = "/usr/sbin/policy-rc.d";
const PROCESSES = 2_000;
const LEAST_BYTES = 128 << 20;

/** A confined copy-on-write clone of the live machine. */
export interface Clone {
  /** Runs this agent in it. Whatever a package started is ended when it returns. */
  agent(args: readonly string[], deadlineMs: number): Promise<ExecResult>;
  /** Paths whose content, properties or existence differ from the machine's, folders that only carry others left out. */
  changedPaths(): string[];
  /** Ends everything in it; nothing is left. */
  close(): Promise<void>;
}

/**
 * Clones the machine this process runs on: every file system of its own, no network, services held back, its daemons' sockets covered.
 * @param neededBytes what will be written there, in memory
 * @throws SandboxFailure why none can be had: then nothing was done
 */
export async function openClone(machine: Machine, neededBytes: number): Promise<Clone> {
  const sizeBytes = Math.max(LEAST_BYTES, neededBytes);
  const half = Math.floor(freemem() / 2);
  if (sizeBytes > half)
    throw new SandboxFailure(
      "spaceMissing",
      `a clone of this host needs ${sizeBytes} bytes of memory, half of what is free is ${half}`,
    );
  const workspace = freshWorkspace(machine);
  const policy = join(workspace, "policy-rc.d");
  writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const sockets = listeningSockets(readFileSync("/proc/net/unix", "utf8")).filter((path) =>
    lstatOrNull(path)?.isSocket(),
  );
  // A file may be mounted on too, as containers do with resolv.conf.
  const mounted = ownFileSystems(readFileSync("/proc/self/mountinfo", "utf8"));
  const isFolder = (path: string) => lstatOrNull(path)?.isDirectory() === true;
  try {
    const sandbox = await openSandbox({
      layers: ["/"],
      workspace,
      network: "none",
      privilege: "root",
      binds: [
        { from: realpathSync(process.execPath), to: AGENT, readOnly: true },
        // A host's own policy stands: covered, it would be a difference.
        ...(lstatOrNull(POLICY) === null ? [{ from: policy, to: POLICY, readOnly: true }] : []),
        ...mounted.filter((path) => !isFolder(path)).map((path) => ({ from: path, to: path, readOnly: true })),
        ...sockets.map((to) => ({ from: "/dev/null", to: realpathSync(to), readOnly: true })),
      ],
      confined: {
        sizeBytes,
        memoryBytes: half,
        processes: PROCESSES,
        fileSystems: mounted.filter(isFolder),
      },
    });
    return openedClone(sandbox);
  } catch (error) {
    rmSync(workspace, { recursive: true, force: true });
    throw error;
  }
}

function openedClone(sandbox: Sandbox): Clone {
  return {
    agent: async (args, deadlineMs) => {
      const result = await sandbox.exec(AGENT, args, { deadlineMs });
      await sandbox.sweep();
      const [exceeded] = sandbox.exceeded;
      if (exceeded !== undefined)
        throw new SandboxFailure("ended", `the clone used more ${exceeded} than allowed and was ended`);
      return result;
    },
    changedPaths: () =>
      [...sandbox.uppers].flatMap(([at, upper]) => changedBelow(upper, sandbox.root, at === "/" ? "" : at)).sort(),
    close: () => sandbox.close(),
  };
}

/** One for each process; those of processes that are gone are removed. */
function freshWorkspace(machine: Machine): string {
  const state = ownFolder(machine, HOST_PATHS.state, 0o700);
  for (const name of readdirSync(state)) {
    const pid = /^clone-(\d+)$/.exec(name)?.[1];
    if (pid === undefined || (Number(pid) !== process.pid && lstatOrNull(`/proc/${pid}`) !== null)) continue;
    rmSync(join(state, name), { recursive: true, force: true });
  }
  const workspace = onMachine(machine, `${HOST_PATHS.state}/clone-${process.pid}`);
  mkdirSync(workspace, { mode: 0o700 });
  return workspace;
}

/** Folders are entered by lstat alone, so that no link of the clone leads anywhere. */
function changedBelow(upper: string, root: string, at: string): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(join(upper, path))) {
      const below = `${path}/${name}`;
      const seen = `${at}${below}`;
      if (seen === POLICY) continue;
      const isFolder = lstatOrNull(join(upper, below))?.isDirectory() === true;
      const was = lstatOrNull(seen);
      if (!isFolder || was?.isDirectory() !== true) found.push(seen);
      if (!isFolder) continue;
      visit(below);
      if (was?.isDirectory() !== true) continue;
      // A folder that was removed and made anew hides the machine's without a mark for each name.
      const now = new Set(readdirSync(join(root, seen)));
      const marked = new Set(readdirSync(join(upper, below)));
      for (const gone of readdirSync(seen)) if (!now.has(gone) && !marked.has(gone)) found.push(`${seen}/${gone}`);
    }
  };
  visit("");
  return found;
}
