import { rmSync } from "node:fs";
import { HOST_PATHS } from "../../../contract/names.ts";
import { lstatOrNull, onMachine, ownFolder, writeOwn } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { hasSystemd } from "../../host/services.ts";
import { firewallRules, TABLE } from "./decide.ts";
import { carriedOut, type Measure, removeDropIn } from "./measure.ts";

const RULES = `${HOST_PATHS.state}/lockdown.nft`;
const UNIT = "autopatch-lockdown.service";
const UNIT_FILE = `/etc/systemd/system/${UNIT}`;

/** Rules of the kernel are gone with a reboot; this unit brings them back before there is a network. */
const UNIT_TEXT = `[Unit]
Description=AutoPatch emergency lockdown: inbound traffic stays closed
Documentation=man:autopatch-manager.sh(8)
DefaultDependencies=no
After=local-fs.target
# Its rules begin by flushing all others.
After=nftables.service
Before=network-pre.target
Wants=network-pre.target
RequiresMountsFor=${HOST_PATHS.state}
ConditionPathExists=${RULES}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f ${RULES}

[Install]
WantedBy=sysinit.target
`;

/** Debian's unit for the administrator's own rules flushes all others whenever it starts, reloads or stops: ours come back with it. */
const ADMIN_UNIT = "/lib/systemd/system/nftables.service";
const ADMIN_FOLDER = "/etc/systemd/system/nftables.service.d";
const ADMIN_DROP_IN = `${ADMIN_FOLDER}/autopatch-lockdown.conf`;
const ADMIN_TEXT = `# Written by autopatch-manager.sh emergency-lockdown, removed by --release.
[Service]
ExecStartPost=/usr/sbin/nft -f ${RULES}
ExecReload=/usr/sbin/nft -f ${RULES}
ExecStopPost=/usr/sbin/nft -f ${RULES}
`;

/** Inbound traffic closed with nftables, also after a reboot. */
export const firewall: Measure = {
  name: "inbound traffic",

  async engage(machine, record) {
    const rules = firewallRules(record.sshPorts);
    ownFolder(machine, HOST_PATHS.state, 0o700);
    writeOwn(machine, RULES, rules, 0o600);
    const problems = await carriedOut(machine, "nft", ["-f", RULES]);
    if (problems.length > 0) problems.push("INBOUND TRAFFIC IS NOT CLOSED: close it in the security group");
    if (!hasSystemd(machine)) return problems;
    writeOwn(machine, UNIT_FILE, UNIT_TEXT);
    problems.push(...(await carriedOut(machine, "systemctl", ["enable", "--quiet", UNIT])));
    if (lstatOrNull(onMachine(machine, ADMIN_UNIT)) === null) return problems;
    ownFolder(machine, ADMIN_FOLDER);
    writeOwn(machine, ADMIN_DROP_IN, ADMIN_TEXT);
    return [...problems, ...(await carriedOut(machine, "systemctl", ["daemon-reload"]))];
  },

  async release(machine) {
    const problems: string[] = [];
    if (lstatOrNull(onMachine(machine, UNIT_FILE)) !== null && hasSystemd(machine)) {
      problems.push(...(await carriedOut(machine, "systemctl", ["disable", "--quiet", UNIT])));
      rmSync(onMachine(machine, UNIT_FILE), { force: true });
      removeDropIn(machine, ADMIN_DROP_IN);
      problems.push(...(await carriedOut(machine, "systemctl", ["daemon-reload"])));
    }
    if (await hasTable(machine))
      problems.push(...(await carriedOut(machine, "nft", ["delete", "table", "inet", TABLE])));
    rmSync(onMachine(machine, RULES), { force: true });
    return problems;
  },
};

async function hasTable(machine: Machine): Promise<boolean> {
  return (await carriedOut(machine, "nft", ["list", "table", "inet", TABLE])).length === 0;
}
