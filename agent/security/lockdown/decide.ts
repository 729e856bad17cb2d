import type { Listener } from "../../host/listening.ts";

/** An account that people log in with. */
export interface LoginAccount {
  readonly name: string;
  /** Days since 1970 after which it may not log in; empty for never: field 8 of /etc/shadow. */
  readonly expires: string;
}

/**
 * Units that a lockdown never stops: the way in for whoever investigates (ssh, the SSM agent), and what a host cannot be without: its
 * own network, names and time.
 */
const KEPT =
  /^((ssh|sshd)(@.*)?\.(service|socket)|(snap\.)?amazon-ssm-agent.*|systemd-.*|init\.scope|NetworkManager.*|networking\.service|ifup@.*|dhclient.*|dhcpcd.*|cloud-.*|chrony\.service|chronyd\.service|ntp\.service|ntpsec\.service|openntpd\.service|dbus\.(service|socket)|autopatch-.*)$/;

/** The units to stop: those that others can reach and that are not needed to investigate. Pure. */
export function unitsToStop(found: readonly Listener[], socketUnits: readonly string[]): string[] {
  const outside = found.filter((listener) => !listener.loopback).flatMap((listener) => listener.units);
  const stoppable = [...new Set([...outside, ...socketUnits])].filter((unit) => !KEPT.test(unit));
  // A scope is a person's session or a container's: it has no file that could be held back.
  return stoppable.filter((unit) => /\.(service|socket)$/.test(unit) && !unit.startsWith("user@")).sort();
}

/** What listens to others and belongs to no unit that can be stopped: the firewall alone holds it. Pure. */
export function unreachedListeners(found: readonly Listener[]): Listener[] {
  return found.filter(({ loopback, units }) => !loopback && !units.some((unit) => /\.(service|socket)$/.test(unit)));
}

/** Ports on which sshd waits; 22 when none does. Pure. */
export function sshPorts(found: readonly Listener[]): number[] {
  const ports = found
    .filter(
      ({ protocol, programs, units }) =>
        protocol === "tcp" && (programs.includes("sshd") || units.includes("ssh.socket")),
    )
    .map(({ port }) => port);
  return ports.length === 0 ? [22] : [...new Set(ports)].sort((a, b) => a - b);
}

const NO_LOGIN = /\/(nologin|false|sync|shutdown|halt)$/;

/**
 * Accounts of people: a user id from UID_MIN up and a shell. Pure.
 * @param passwd text of /etc/passwd
 * @param shadow text of /etc/shadow
 */
export function loginAccounts(passwd: string, shadow: string, uidMin: number): LoginAccount[] {
  const expiry = new Map(shadow.split("\n").map((line) => [line.split(":")[0] ?? "", line.split(":")[7] ?? ""]));
  return passwd.split("\n").flatMap((line) => {
    const [name = "", , uid = "", , , , shell = ""] = line.split(":");
    const isPerson = Number(uid) >= uidMin && Number(uid) < 65_534 && shell !== "" && !NO_LOGIN.test(shell);
    return isPerson && expiry.has(name) ? [{ name, expires: expiry.get(name) ?? "" }] : [];
  });
}

export const TABLE = "autopatch_lockdown";

/**
 * The firewall of a locked host, as `nft -f` reads it: a table of its own, so that the host's rules stay as they are. Nothing new comes
 * in; answers to what the host itself asked for do (the SSM agent, names, time), and so do ssh sessions that were open: those by their
 * packets, since a kernel that tracked no connections until now takes the next one of an old session for the first of a new. Pure.
 */
export function firewallRules(ports: readonly number[]): string {
  return `table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  chain input {
    type filter hook input priority -200; policy drop;
    iif lo accept
    ct state established,related ct direction reply accept
    tcp dport { ${ports.join(", ")} } tcp flags & syn == 0 accept
    udp dport { 68, 546 } accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, packet-too-big } accept
  }
  chain forward {
    type filter hook forward priority -200; policy drop;
  }
}
`;
}
