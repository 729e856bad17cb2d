import { readFileSync, writeFileSync } from "node:fs";
import { killGroup, start } from "../../agent/host/exec.ts";
import { HostsFailure } from "./failure.ts";

export interface BuildLock {
  release(): Promise<void>;
}

/** Who has the lock by then did not have to wait for anybody. */
const SOON_MS = 1_000;

/**
 * Takes a lock that the kernel drops when its holder dies, however it dies: flock(1), tied to this process.
 * The file holds the pid of the last holder, for messages only; it is never removed.
 * @param onWait called once, with the holder's pid, when someone else still has it after a second
 * @throws HostsFailure `commandFailed` when it cannot be had within the deadline
 */
export async function takeBuildLock(
  path: string,
  deadlineMs: number,
  onWait: (holderPid: string) => void,
): Promise<BuildLock> {
  // cat echoes one line as soon as flock has the lock, and ends, and with it the lock, at end of file.
  const child = start("setpriv", ["--pdeathsig", "KILL", "flock", path, "cat"], { stdio: ["pipe", "pipe", "ignore"] });
  const gone = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
    child.once("error", () => resolve());
  });
  const held = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), deadlineMs);
    const waiting = setTimeout(() => onWait(holderOf(path)), SOON_MS);
    const answer = (value: boolean) => {
      clearTimeout(timer);
      clearTimeout(waiting);
      resolve(value);
    };
    child.stdout?.once("data", () => answer(true));
    gone.then(() => answer(false));
    child.stdin?.on("error", () => {});
    child.stdin?.write("held\n");
  });
  if (!held) {
    killGroup(child);
    const holder = holderOf(path);
    throw new HostsFailure(
      "commandFailed",
      `${path}: process ${holder} has held this lock for ${deadlineMs} ms; end it, or wait`,
    );
  }
  writeFileSync(path, `${process.pid}\n`);
  return {
    release: async () => {
      child.stdin?.end();
      await gone;
    },
  };
}

function holderOf(path: string): string {
  return readFileSync(path, "utf8").trim() || "unknown";
}
