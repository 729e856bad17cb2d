import { describe, expect, test } from "vitest";
import { type Listener, parseSockets, unitOf } from "../../../../agent/host/listening.ts";
import {
  firewallRules,
  loginAccounts,
  sshPorts,
  unitsToStop,
  unreachedListeners,
} from "../../../../agent/security/lockdown/decide.ts";
import { parseSockets as parseSocketUnits } from "../../../../agent/security/lockdown/services.ts";

const listener = (port: number, units: string[], changes: Partial<Listener> = {}): Listener => ({
  protocol: "tcp",
  address: "0.0.0.0",
  port,
  loopback: false,
  pids: [1000 + port],
  programs: ["program"],
  units,
  ...changes,
});

describe("what is stopped", () => {
  test("what others can reach, but never the way in nor the host's own network, names and time", () => {
    const found = [
      listener(80, ["nginx.service"]),
      listener(22, ["ssh.service"], { programs: ["sshd"] }),
      listener(53, ["systemd-resolved.service"]),
      listener(68, ["systemd-networkd.service"], { protocol: "udp" }),
      listener(123, ["chrony.service"], { protocol: "udp" }),
      listener(5432, ["postgresql@15-main.service"]),
      listener(6379, ["redis-server.service"], { address: "127.0.0.1", loopback: true }),
      listener(631, ["init.scope"]),
      listener(2222, ["snap.amazon-ssm-agent.amazon-ssm-agent.service"]),
      listener(9000, ["session-4.scope"]),
    ];

    expect(unitsToStop(found, ["cups.socket", "cups.service", "ssh.socket", "ssh.service"])).toEqual([
      "cups.service",
      "cups.socket",
      "nginx.service",
      "postgresql@15-main.service",
    ]);
    expect(unreachedListeners(found).map(({ port }) => port)).toEqual([631, 9000]);
  });

  test("ports of ssh, wherever it listens; 22 when it does not", () => {
    expect(sshPorts([listener(2200, ["ssh.service"], { programs: ["sshd"] })])).toEqual([2200]);
    expect(sshPorts([listener(22, ["init.scope", "ssh.socket"], { programs: ["systemd"] })])).toEqual([22]);
    expect(sshPorts([listener(80, ["nginx.service"])])).toEqual([22]);
  });

  test("logins of people, not of the system", () => {
    const passwd = [
      "root:x:0:0::/root:/bin/bash",
      "daemon:x:1:1::/usr/sbin:/usr/sbin/nologin",
      "admin:x:1000:1000::/home/admin:/bin/bash",
      "backup2:x:1001:1001::/home/b:/usr/sbin/nologin",
      "guest:x:1002:1002::/home/g:/bin/sh",
      "nobody:x:65534:65534::/:/bin/sh",
    ].join("\n");
    const shadow = ["root:*:1:0:99999:7:::", "admin:!:1:0:99999:7:::", "guest:$y$x:1:0:99999:7::20000:"].join("\n");

    expect(loginAccounts(passwd, shadow, 1000)).toEqual([
      { name: "admin", expires: "" },
      { name: "guest", expires: "20000" },
    ]);
  });

  test("the firewall is a table of its own that can be loaded again", () => {
    const rules = firewallRules([22, 2200]);

    expect(rules.split("\n").slice(0, 3)).toEqual([
      "table inet autopatch_lockdown",
      "delete table inet autopatch_lockdown",
      "table inet autopatch_lockdown {",
    ]);
    expect(rules).toContain("tcp dport { 22, 2200 } tcp flags & syn == 0 accept");
  });
});

describe("what listens, as the kernel tells it", () => {
  const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const row = (local: string, state: string, inode: number) =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0\n`;

  test("addresses of both families, listening sockets only", () => {
    expect(parseSockets("tcp", HEAD + row("0100007F:1F90", "0A", 11) + row("00000000:0016", "0A", 12))).toEqual([
      { protocol: "tcp", address: "127.0.0.1", port: 8080, loopback: true, inode: "11" },
      { protocol: "tcp", address: "0.0.0.0", port: 22, loopback: false, inode: "12" },
    ]);
    expect(parseSockets("tcp", HEAD + row("0100007F:1F90", "01", 13))).toEqual([]);
    expect(parseSockets("udp6", HEAD + row("00000000000000000000000001000000:0035", "07", 14))).toEqual([
      { protocol: "udp", address: "::1", port: 53, loopback: true, inode: "14" },
    ]);
    const others = [
      "00000000000000000000000000000000:0050",
      "0000000000000000FFFF00000100007F:0050",
      "B80D01200000000067452301EFCDAB89:0050",
    ];
    expect(others.flatMap((local) => parseSockets("tcp6", HEAD + row(local, "0A", 1)).map((s) => s.address))).toEqual([
      "::",
      "::ffff:127.0.0.1",
      "2001:db8::123:4567:89ab:cdef",
    ]);
  });

  test.each([
    ["0::/system.slice/nginx.service", "nginx.service"],
    ["0::/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service"],
    ["12:pids:/x\n1:name=systemd:/init.scope\n0::/init.scope", "init.scope"],
    ["0::/user.slice/user-1000.slice/session-4.scope", "session-4.scope"],
    ["0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", "foo.service"],
    ["0::/", null],
  ])("unit of %s", (cgroup, unit) => {
    expect(unitOf(cgroup)).toBe(unit);
  });

  test("sockets that systemd holds for others, with what they start", () => {
    const shown = [
      "Id=cups.socket\nActiveState=active\nListen=/run/cups/cups.sock (Stream)\nListen=0.0.0.0:631 (Stream)\nTriggers=cups.service",
      "Id=dbus.socket\nActiveState=active\nListen=/run/dbus/system_bus_socket (Stream)\nTriggers=dbus.service",
      "Id=local.socket\nActiveState=active\nListen=127.0.0.1:99 (Stream)\nTriggers=local.service",
      "Id=off.socket\nActiveState=inactive\nListen=[::]:7 (Datagram)\nTriggers=off.service",
    ].join("\n\n");

    expect(parseSocketUnits(shown)).toEqual(["cups.socket", "cups.service"]);
  });
});
