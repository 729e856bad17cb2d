import type { Reason } from "../../contract/envelope.ts";
import { Failure } from "../../contract/failures.ts";
import { readConfig } from "../host/config.ts";
import { type DpkgPackage, dpkgPackages } from "../host/dpkg.ts";
import { readFileOrNull } from "../host/files.ts";
import { bootId, type RunningKernel, runningKernel } from "../host/identity.ts";
import type { Machine } from "../host/machine.ts";
import { type OutdatedUnit, outdatedUnits } from "../host/mapped-libraries.ts";
import { divideRestarts } from "../host/restart-services.ts";
import { hasSystemd } from "../host/systemd.ts";
import { compareVersions } from "./debian-version.ts";
import { writeJournal } from "./journal.ts";
import { RebootNow, type Step, type StepAnswer, type StepContext } from "./step.ts";
import { requireTrial } from "./validate.ts";

/** How long a host may take to go down after it said that it would. */
const GOING_DOWN_MS = 300_000;
const POLL_MS = 1_000;

/** Reboots the host when the change wants it and the policy allows it; a changed boot id proves that it did. */
export const reboot: Step<"reboot"> = async (context) => {
  const { machine, policy } = context;
  if (context.dryRun) return answer(false, 0);
  const transaction = requireTrial(context);
  if (transaction.reboot !== null) return await afterReboot(context, transaction.reboot);
  const reasons = await rebootReasons(machine);
  const allowed = policy.reboot ?? readConfig(machine).AUTOPATCH_REBOOT;
  if (reasons.length === 0 || allowed === "never") return answer(false, reasons.length);
  machine.log.info(`rebooting: ${reasons.map(({ message }) => message).join("; ")}`);
  writeJournal(machine, {
    ...transaction,
    reboot: { fromBoot: bootId(machine), requestedAt: machine.clock.now().toISOString() },
  });
  throw new RebootNow("the host reboots");
};

/** The same step once more: after the reboot, or sent twice and still before it, when it waits to be ended by the shutdown. */
async function afterReboot(
  { machine }: StepContext,
  asked: { readonly fromBoot: string; readonly requestedAt: string },
): Promise<StepAnswer<"reboot">> {
  const from = performance.now();
  while (bootId(machine) === asked.fromBoot) {
    if (performance.now() - from >= GOING_DOWN_MS)
      throw new Failure(
        "rebootFailed",
        `the reboot was asked for at ${asked.requestedAt}, and this is still boot ${asked.fromBoot}`,
      );
    await machine.clock.sleep(POLL_MS);
  }
  return answer(true, (await rebootReasons(machine)).length);
}

function answer(rebooted: boolean, reasons: number): StepAnswer<"reboot"> {
  return { outcome: { outcome: "succeeded", data: { rebooted, reasons } }, details: {} };
}

/** Why the host should be rebooted: packages that said so, a newer kernel, and what runs replaced libraries and cannot be restarted. */
export async function rebootReasons(machine: Machine): Promise<Reason[]> {
  const flagged = flaggedReasons(machine);
  // A host without a systemd of its own runs somebody else's kernel, or nothing that would be left running.
  if (!hasSystemd(machine)) return flagged;
  const { left } = divideOutdated(outdatedUnits(machine));
  const kernel = kernelReason(runningKernel(machine), await dpkgPackages(machine));
  return [...flagged, ...(kernel === null ? [] : [kernel]), ...left.map(libraryReason)];
}

function divideOutdated(outdated: readonly OutdatedUnit[]) {
  const { left } = divideRestarts(
    outdated.map(({ unit }) => unit),
    null,
  );
  return { left: outdated.filter(({ unit }) => unit !== "init.scope" && left.includes(unit)) };
}

function libraryReason({ unit, files }: OutdatedUnit): Reason {
  const more = files.length > 3 ? ` and ${files.length - 3} more` : "";
  return { code: "librariesInUse", message: `${unit} still runs ${files.slice(0, 3).join(", ")}${more} as replaced` };
}

/** What packages asked for, one reason for each; empty when none did. */
export function flaggedReasons(machine: Pick<Machine, "root">): Reason[] {
  const word = readFileOrNull(machine, "/run/reboot-required");
  if (word === null) return [];
  const listed = readFileOrNull(machine, "/run/reboot-required.pkgs") ?? "";
  const packages = new Set(listed.split("\n").filter((name) => name !== ""));
  if (packages.size === 0) return [{ code: "rebootRequired", message: word.trim() || "a reboot is required" }];
  return [...packages].map((name) => ({ code: "rebootRequired", message: `${name} asks for a reboot` }));
}

/**
 * Whether a newer kernel is installed than the one that runs. Pure. A running kernel that no package brought, as in a container, says
 * nothing about the installed ones.
 */
export function kernelReason(running: RunningKernel, packages: readonly DpkgPackage[]): Reason | null {
  const images = packages.flatMap((one) => {
    const release = /^linux-image-(?:unsigned-)?(\d.*?)(?<!-dbg)$/.exec(one.name)?.[1];
    return release === undefined || !one.status.startsWith("ii") ? [] : [{ release, version: one.version }];
  });
  const own = images.find(({ release }) => release === running.release);
  const newest = images.toSorted((a, b) => compareVersions(b.version, a.version))[0];
  if (own === undefined || newest === undefined) return null;
  const version = running.packageVersion ?? own.version;
  if (compareVersions(newest.version, version) <= 0) return null;
  const message = `kernel ${newest.release} (${newest.version}) is installed, ${running.release} (${version}) runs`;
  return { code: "kernel", message };
}
