import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { HOST_PATHS } from "../../../contract/names.ts";
import type { ExecResult } from "../exec.ts";
import { lstatOrNull, onMachine, ownFolder } from "../files.ts";
import type { Machine } from "../machine.ts";
import { changedPaths } from "./changed-paths.ts";
import { SandboxFailure } from "./failure.ts";
import { listeningSockets, ownFileSystems } from "./machine-facts.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";

/** Where the clone sees this very program, read-only: a package may replace the installed one. */
const AGENT = "/run/autopatch/agent";
const POLICY = "/usr/sbin/policy-rc.d";
const PROCESSES = 2_000;
const LEAST_BYTES = 128 << 20;
/** What is left when a write fails is less than that write. */
const FULL_BYTES = 4 << 20;

/** A confined copy-on-write clone of the live machine. */
export interface Clone {
  /** Runs this agent in it. Whatever a package started is ended when it returns. */
  agent(args: readonly string[], deadlineMs: number): Promise<ExecResult>;
  /** Paths whose content, properties or existence differ from the machine's, folders that only carry others left out. */
  changedPaths(): string[];
  /** Bytes that can be written there. */
  readonly sizeBytes: number;
  /** Whether they are used up, so that what failed may have failed for that. */
  isFull(): boolean;
  /** Ends everything in it; nothing is left. */
  close(): Promise<void>;
}

/**
 * Clones the machine this process runs on: every file system of its own, no network, services held back, its daemons' sockets covered.
 * @param neededBytes what will be written there, in memory; it is given up to half of what is free
 * @throws SandboxFailure why none can be had: then nothing was done
 */
export async function openClone(machine: Machine, neededBytes: number): Promise<Clone> {
  const needed = Math.max(LEAST_BYTES, neededBytes);
  // Only what is written takes any of it: more than needed is a reserve, not a cost.
  const half = Math.floor(freemem() / 2);
  if (needed > half)
    throw new SandboxFailure(
      "spaceMissing",
      `a clone of this host needs ${needed} bytes of memory, half of what is free is ${half}`,
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
        sizeBytes: half,
        memoryBytes: half,
        processes: PROCESSES,
        fileSystems: mounted.filter(isFolder),
      },
    });
    return openedClone(sandbox, half);
  } catch (error) {
    rmSync(workspace, { recursive: true, force: true });
    throw error;
  }
}

function openedClone(sandbox: Sandbox, sizeBytes: number): Clone {
  return {
    sizeBytes,
    isFull: () => {
      const { bavail, bsize } = statfsSync(sandbox.upper);
      return bavail * bsize < FULL_BYTES;
    },
    agent: async (args, deadlineMs) => {
      const result = await sandbox.exec(AGENT, args, { deadlineMs });
      await sandbox.sweep();
      const [exceeded] = sandbox.exceeded;
      if (exceeded !== undefined)
        throw new SandboxFailure("ended", `the clone used more ${exceeded} than allowed and was ended`);
      return result;
    },
    changedPaths: () => changedPaths(sandbox).filter((path) => path !== POLICY),
    close: () => sandbox.close(),
  };
}

/** A new one; those of processes that are gone are removed. */
function freshWorkspace(machine: Machine): string {
  const state = ownFolder(machine, HOST_PATHS.state, 0o700);
  for (const name of readdirSync(state)) {
    const pid = /^clone-(\d+)-\w+$/.exec(name)?.[1];
    if (pid === undefined || lstatOrNull(`/proc/${pid}`) !== null) continue;
    rmSync(join(state, name), { recursive: true, force: true });
  }
  return mkdtempSync(onMachine(machine, `${HOST_PATHS.state}/clone-${process.pid}-`));
}
