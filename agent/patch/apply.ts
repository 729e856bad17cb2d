import type { Failure } from "../../contract/failures.ts";
import { Failure as HostFailure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { dpkgPackages } from "../host/dpkg.ts";
import { endLeftovers, TRANSACTION_VARIABLE } from "../host/leftovers.ts";
import type { Machine } from "../host/machine.ts";
import { installFailure, lastLines } from "./apt-failure.ts";
import { verifyArchives } from "./archives.ts";
import { type ClosedWorld, environment } from "./closed-world.ts";
import { conffileAnswer, replaceByRule } from "./conffiles.ts";
import { startHeartbeat } from "./heartbeat.ts";
import type { StepContext } from "./step.ts";

export interface Applied {
  /** Null when every package of the lock is installed and configured. */
  readonly failure: Failure | null;
  /** Last lines of apt and dpkg. */
  readonly log: string;
}

/** Runs the real upgrade in the closed world. The one place where packages change. */
export async function applyLock(context: StepContext, world: ClosedWorld, deadlineMs: number): Promise<Applied> {
  const { machine, policy, runId } = context;
  verifyArchives(machine, world.pooled, `${HOST_PATHS.state}/closed-world/pool`);
  const keep = conffileAnswer(policy) === "keep";
  const conffiles = keep ? ["--force-confdef", "--force-confold"] : ["--force-confnew"];
  const options = [
    "Dpkg::Use-Pty=0",
    `DPkg::Lock::Timeout=${policy.lockWaitSeconds}`,
    ...conffiles.map((option) => `Dpkg::Options::=${option}`),
  ].flatMap((option) => ["-o", option]);
  const stopHeartbeat = startHeartbeat(machine);
  const since = machine.clock.now().getTime();
  try {
    const result = await machine.exec("apt-get", ["--yes", ...world.options, ...options, ...world.command], {
      deadlineMs,
      env: environment({
        [TRANSACTION_VARIABLE]: runId,
        [keep ? "UCF_FORCE_CONFFOLD" : "UCF_FORCE_CONFFNEW"]: "1",
      }),
      onStdout: (chunk) => tell(machine, chunk),
    });
    if (result.timedOut) await endLeftovers(machine, runId);
    const log = lastLines(result, 40).replaceAll(" | ", "\n");
    if (result.exitCode !== 0) return { failure: installFailure(result, deadlineMs), log };
    replaceByRule(machine, policy, since);
    return { failure: await notInstalled(machine, world), log };
  } finally {
    stopHeartbeat();
  }
}

/** apt's word is not enough: dpkg must say of each package that it is whole and of the locked version. */
async function notInstalled(machine: Machine, { pooled }: ClosedWorld): Promise<Failure | null> {
  const states = new Map((await dpkgPackages(machine)).map((p) => [`${p.name}:${p.architecture}`, p]));
  const wrong = pooled.entries.flatMap(({ name, architecture, version }) => {
    const is = states.get(`${name}:${architecture}`);
    if (is?.version === version && is.status.startsWith("ii")) return [];
    return [`${name} should be ${version}, dpkg says ${is === undefined ? "nothing" : `${is.version} (${is.status})`}`];
  });
  const left = pooled.removals.filter((r) => states.get(`${r.name}:${r.architecture}`)?.status.charAt(1) === "i");
  wrong.push(...left.map((r) => `${r.name} should be removed`));
  return wrong.length === 0 ? null : new HostFailure("installFailed", wrong.join("; "));
}

function tell(machine: Machine, chunk: string): void {
  for (const line of chunk.split("\n"))
    if (/^(Unpacking|Setting up|Removing) /.test(line)) machine.log.info(line.trim());
}
