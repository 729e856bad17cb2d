import { describe, expect, test } from "vitest";
import { parseAccounts } from "../../../../agent/host/accounts.ts";
import { parseSshdSettings } from "../../../../agent/host/sshd.ts";
import { judgeAccounts } from "../../../../agent/security/audit/accounts.ts";
import { judgeListening, type ListenerSeen } from "../../../../agent/security/audit/listening.ts";
import { judgeSsh } from "../../../../agent/security/audit/ssh.ts";
import { judgeSudo } from "../../../../agent/security/audit/sudo.ts";
import { told } from "./told.ts";

describe("ssh", () => {
  // As OpenSSH 9.2 of Debian 12 prints it, shortened.
  const DEFAULTS = `port 22
permitrootlogin without-password
passwordauthentication no
permitemptypasswords no
ciphers chacha20-poly1305@openssh.com,aes128-ctr,aes256-gcm@openssh.com
macs umac-64-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha1
kexalgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256,diffie-hellman-group14-sha256
hostkeyalgorithms ssh-ed25519,rsa-sha2-512,rsa-sha2-256
`;
  test("a default server without passwords has no finding", () => {
    expect(told(judgeSsh(parseSshdSettings(DEFAULTS)))).toEqual([]);
  });
  test("each weakness is named with the setting", () => {
    const weak = `passwordauthentication yes\npermitrootlogin yes\npermitemptypasswords yes\nciphers aes128-ctr,3des-cbc\nmacs hmac-md5\nkexalgorithms diffie-hellman-group1-sha1\n`;
    expect(told(judgeSsh(parseSshdSettings(weak + DEFAULTS)))).toEqual([
      ["critical", "sshEmptyPasswords", "permitemptypasswords yes"],
      ["high", "sshRootLogin", "permitrootlogin yes"],
      ["medium", "sshPasswords", "passwordauthentication yes"],
      [
        "medium",
        "sshBrokenAlgorithms",
        "ciphers 3des-cbc",
        "macs hmac-md5",
        "kexalgorithms diffie-hellman-group1-sha1",
      ],
    ]);
  });
});

test("sudo: continued lines are joined, comments and named commands pass", () => {
  const text = `Defaults env_reset
# ops ALL = NOPASSWD: ALL
deploy ALL=(ALL) NOPASSWD: /usr/bin/systemctl restart webapp
%admin ALL=(ALL) \\
  NOPASSWD: ALL
Defaults:ops !authenticate
`;
  const file = { path: "/etc/sudoers", uid: 0, mode: 0o440, text };
  const folder = { path: "/etc/sudoers.d", uid: 0, mode: 0o777, text: "" };
  expect(told(judgeSudo([file, folder], "/etc/sudoers:9: syntax error"))).toEqual([
    ["critical", "sudoersWritable", "/etc/sudoers.d (user 0, mode 0777)"],
    ["high", "sudoersBroken", "/etc/sudoers:9: syntax error"],
    ["high", "sudoWithoutAuthentication", "/etc/sudoers: Defaults:ops !authenticate"],
    ["medium", "sudoNopasswdAll", "/etc/sudoers: %admin ALL=(ALL) NOPASSWD: ALL"],
  ]);
});

test("accounts: locked ones pass, empty and old passwords do not", () => {
  const passwd =
    "root:x:0:0::/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\na:x:1000:1000::/home/a:/bin/sh\nb::1001:1001::/home/b:\nc:x:0:0::/:/bin/sh\n";
  const shadow = "root:$y$j9T$abc$def:1::::::\ndaemon:*:1::::::\na:$1$salt$hash:1::::::\nc:!:1::::::\n";
  expect(told(judgeAccounts(parseAccounts(passwd, shadow)))).toEqual([
    ["critical", "rootTwins", "c (uid 0, shell /bin/sh)"],
    ["critical", "emptyPasswords", "b (uid 1001, shell /bin/sh)"],
    ["medium", "weakPasswordHashes", "a (uid 1000, shell /bin/sh)"],
  ]);
});

test("listening: what is local passes; plain protocols, data stores, strangers and replaced programs are told", () => {
  const base: ListenerSeen = {
    protocol: "tcp",
    address: "0.0.0.0",
    port: 22,
    loopback: false,
    pids: [9],
    programs: ["sshd"],
    units: ["ssh.service"],
    executables: ["/usr/sbin/sshd"],
  };
  const all: ListenerSeen[] = [
    base,
    { ...base, port: 23, pids: [10], programs: ["telnetd"], units: [], executables: ["/usr/local/sbin/telnetd"] },
    { ...base, port: 6379, address: "::", pids: [], programs: [], units: [], executables: [] },
    { ...base, port: 3306, loopback: true },
    { ...base, port: 443, programs: ["nginx"], executables: ["/usr/sbin/nginx (deleted)"] },
  ];
  const ssh = "tcp 0.0.0.0:22 sshd (pid 9), ssh.service";
  const telnet = "tcp 0.0.0.0:23 telnetd (pid 10)";
  const redis = "tcp [::]:6379 the kernel or another namespace";
  const nginx = "tcp 0.0.0.0:443 nginx (pid 9), ssh.service";
  expect(told(judgeListening(all, new Set(["/usr/sbin/sshd", "/usr/sbin/nginx"])))).toEqual([
    ["high", "plainServices", `${telnet}: telnet`],
    ["medium", "openDataStores", `${redis}: Redis`],
    ["low", "listenersNotPackaged", telnet],
    ["medium", "listenersOutdated", nginx],
    ["info", "listeningServices", ssh, telnet, redis, nginx],
  ]);
});
