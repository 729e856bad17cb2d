import { Failure } from "../../contract/failures.ts";
import { requireEnded } from "./ended.ts";
import type { Machine } from "./machine.ts";
import { packageLockHolder } from "./package-locks.ts";

/**
 * Holds dpkg's two locks. They are fcntl locks, which Node cannot take; perl-base, which every Debian has, can. It prints a line
 * when it has both and keeps them until its standard output is gone or its parent is.
 */
const HOLDER = `
use strict; use warnings;
my ($parent, @handles) = (getppid());
for my $file (@ARGV) {
  open(my $handle, "+>>", $file) or die "$file: $!\\n";
  my $lock = pack("s s x4 q q i x4", 1, 0, 0, 0, 0);
  fcntl($handle, 6, $lock) or exit 75;
  push @handles, $handle;
}
$| = 1;
print "held\\n";
select(undef, undef, undef, 0.2) while getppid() == $parent;
`;

const FILES = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"];
const HELD_ELSEWHERE = 75;
const LONGEST_MS = 60 * 60_000;

/**
 * Does some work while no other program can change packages.
 * @param waitSeconds how long to wait for whoever holds the locks
 * @throws Failure `packageLockHeld` naming the holder, `toolMissing`, `programKilled`
 */
export async function withPackageLocks<T>(machine: Machine, waitSeconds: number, work: () => Promise<T>): Promise<T> {
  const until = machine.clock.now().getTime() + waitSeconds * 1_000;
  for (;;) {
    const release = await tryHold(machine);
    if (release !== null) {
      try {
        return await work();
      } finally {
        await release();
      }
    }
    if (machine.clock.now().getTime() >= until) {
      const holder = packageLockHolder(machine);
      const who = holder === null ? "another program" : `${holder.command} (process ${holder.pid})`;
      throw new Failure("packageLockHeld", `${FILES[0]} is held by ${who}; waited ${waitSeconds} s for it`);
    }
    await machine.clock.sleep(500);
  }
}

/** Takes the locks, or answers null when somebody else has them. */
async function tryHold(machine: Machine): Promise<(() => Promise<void>) | null> {
  const end = new AbortController();
  let onHeld: () => void = () => {};
  const held = new Promise<"held">((resolve) => {
    onHeld = () => resolve("held");
  });
  const running = machine.exec("perl", ["-e", HOLDER, ...FILES], {
    deadlineMs: LONGEST_MS,
    signal: end.signal,
    onStdout: onHeld,
  });
  const first = await Promise.race([held, running]);
  if (first === "held") {
    return async () => {
      end.abort();
      await running;
    };
  }
  if (requireEnded(first).exitCode === HELD_ELSEWHERE) return null;
  throw new Failure("toolMissing", `perl could not lock ${FILES.join(" and ")}: ${first.stderr.trim()}`);
}
