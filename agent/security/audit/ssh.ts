import { hasSshd, sshdSettings } from "../../host/sshd.ts";
import { type Checker, draft, type Looked, looked, notApplicable } from "./checker.ts";

/** What the ssh server lets in, by its own account of its settings. */
export const ssh: Checker = {
  id: "ssh",
  title: "The ssh server's settings",
  run: async ({ machine }) =>
    hasSshd(machine) ? judgeSsh(await sshdSettings(machine)) : notApplicable("no ssh server is installed"),
};

const REMEDY = "Set it in a file of /etc/ssh/sshd_config.d, sshd -t, then systemctl reload ssh: ";

/** Pure. */
export function judgeSsh(settings: ReadonlyMap<string, string>): Looked {
  const is = (name: string, value: string) => (settings.get(name) === value ? [`${name} ${value}`] : []);
  const broken = ["ciphers", "macs", "kexalgorithms", "hostkeyalgorithms"].flatMap((name) =>
    (settings.get(name) ?? "")
      .split(",")
      .filter((one) => BROKEN.test(one))
      .map((one) => `${name} ${one}`),
  );
  return looked(
    draft(
      "sshEmptyPasswords",
      "critical",
      () => "ssh lets accounts without a password in",
      is("permitemptypasswords", "yes"),
      `${REMEDY}PermitEmptyPasswords no`,
    ),
    draft(
      "sshRootLogin",
      "high",
      () => "root may log in over ssh with a password",
      is("permitrootlogin", "yes"),
      `${REMEDY}PermitRootLogin prohibit-password`,
    ),
    draft(
      "sshPasswords",
      "medium",
      () => "ssh takes passwords, which can be guessed",
      is("passwordauthentication", "yes"),
      `${REMEDY}PasswordAuthentication no`,
    ),
    draft(
      "sshOldProtocol",
      "high",
      () => "ssh speaks protocol 1",
      /\b1\b/.test(settings.get("protocol") ?? "") ? [`protocol ${settings.get("protocol")}`] : [],
      `${REMEDY}Protocol 2`,
    ),
    draft(
      "sshBrokenAlgorithms",
      "medium",
      (n) => `ssh offers ${n} broken ${n === 1 ? "algorithm" : "algorithms"}`,
      broken,
      `${REMEDY}leave the named algorithms out, or drop the line for the defaults`,
    ),
  );
}

/** None is in the defaults of a supported release. */
const BROKEN =
  /^(3des-cbc|aes\d+-cbc|arcfour.*|blowfish-cbc|cast128-cbc|hmac-md5.*|hmac-sha1-96.*|hmac-ripemd160.*|diffie-hellman-group1-sha1|diffie-hellman-group14-sha1|diffie-hellman-group-exchange-sha1|ssh-dss.*|ssh-rsa)$/;
