import { EXIT, Failure } from "../../contract/failures.ts";
import { hasSystemd } from "../host/services.ts";
import { engageLockdown, type LockdownAnswer, planLockdown, releaseLockdown } from "../security/lockdown/lockdown.ts";
import { type LockdownRecord, readLockdown } from "../security/lockdown/record.ts";
import { openCommand } from "./command.ts";
import { keepOperation } from "./keep-operation.ts";
import { lockdownVerb } from "./manager-verbs.ts";
import { readFlags, Usage } from "./program.ts";

const NAME = "autopatch-manager.sh emergency-lockdown";

export async function runLockdown(args: readonly string[]): Promise<number> {
  const { flags } = readFlags(NAME, lockdownVerb.flags, args);
  if (flags.release === true && flags.full === true)
    throw new Usage(`${NAME}: --release ends any lockdown; it does not go with --full`);
  const dryRun = flags["dry-run"] === true;
  const { machine, context } = openCommand("lockdown", { dryRun });
  return await keepOperation(context, `emergency-lockdown${flags.release === true ? " --release" : ""}`, async () => {
    if (flags.release === true) {
      const record = dryRun ? readLockdown(machine) : null;
      if (record !== null) return say(releaseText(record));
      const released = dryRun ? null : await releaseLockdown(machine);
      if (released === null) return say("This host is not locked down.\n");
      requireWhole(released, "is not released");
      return say(
        `Released: what was locked down at ${released.record.at} is as it was. Evidence stays in ${released.record.evidence}.\n`,
      );
    }
    if (dryRun) return say(lockdownText(await planLockdown(machine, flags.full === true), "would be"));
    const engaged = await engageLockdown(machine, flags.full === true);
    say(lockdownText(engaged.record, "is"));
    for (const { protocol, port, programs } of engaged.unreached)
      say(
        `  behind the firewall, but still running: ${programs.join(", ") || "an unknown process"} on ${protocol} port ${port}\n`,
      );
    if (engaged.record.full && !hasSystemd(machine)) say("  no systemd here: services were not stopped\n");
    requireWhole(engaged, "is not whole");
    return EXIT.ok;
  });
}

function requireWhole({ problems }: LockdownAnswer, what: string): void {
  if (problems.length > 0) throw new Failure("lockdownIncomplete", `the lockdown ${what}: ${problems.join("; ")}`);
}

/** What a lockdown does or would do, for people. Pure. */
export function lockdownText(record: LockdownRecord, is: "is" | "would be"): string {
  const held = Object.values(record.selections).filter((selection) => selection === "install").length;
  const lines = [
    `This host ${is} locked down${record.full ? " in full" : ""}:`,
    `  inbound traffic ${is} closed; open ssh sessions (port ${record.sshPorts.join(", ")}) stay`,
    `  ${held} packages ${is} on hold, apt ${is} refused`,
    ...(record.full
      ? [`  stopped: ${record.units.map(({ name }) => name).join(", ") || "no service faces the network"}`]
      : []),
    ...(record.full
      ? [`  logins locked: ${record.accounts.map(({ name }) => name).join(", ") || "there are none of people"}`]
      : []),
    ...(record.evidence === null ? [] : [`  evidence: ${record.evidence}`]),
    ...(is === "is" ? ["autopatch-manager.sh emergency-lockdown --release puts all of it back."] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** What a release would do, for people. Pure. */
export function releaseText({ at, selections, units, accounts, evidence }: LockdownRecord): string {
  const held = Object.values(selections).filter((selection) => selection === "install").length;
  const started = units.filter(({ active }) => active).map(({ name }) => name);
  const lines = [
    `The lockdown of ${at} would be released:`,
    "  inbound traffic would be as this host's own rules have it",
    `  ${held} packages would no longer be on hold, apt no longer refused`,
    ...(started.length > 0 ? [`  started: ${started.join(", ")}`] : []),
    ...(accounts.length > 0 ? [`  logins unlocked: ${accounts.map(({ name }) => name).join(", ")}`] : []),
    ...(evidence === null ? [] : [`  evidence stays in ${evidence}`]),
  ];
  return `${lines.join("\n")}\n`;
}

function say(text: string): number {
  process.stdout.write(text);
  return EXIT.ok;
}
