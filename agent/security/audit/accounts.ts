import { type Account, readAccounts } from "../../host/accounts.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

export const accounts: Checker = {
  id: "accounts",
  title: "Accounts and their passwords",
  run: async ({ machine }) => judgeAccounts(readAccounts(machine)),
};

/** Pure. */
export function judgeAccounts(all: readonly Account[]): Looked {
  const line = ({ name, uid, shell }: Account) => `${name} (uid ${uid}, shell ${shell || "/bin/sh"})`;
  return looked(
    draft(
      "rootTwins",
      "critical",
      (n) => `${count(n, "account")} beside root ${n === 1 ? "has" : "have"} uid 0`,
      all.filter((one) => one.uid === 0 && one.name !== "root").map(line),
      "Find out who made it, then: userdel NAME",
    ),
    draft(
      "emptyPasswords",
      "critical",
      (n) => `${count(n, "account")} ${n === 1 ? "has" : "have"} an empty password`,
      all.filter((one) => one.password === "empty").map(line),
      "passwd -l NAME locks it; passwd NAME sets one",
    ),
    draft(
      "weakPasswordHashes",
      "medium",
      (n) => `${count(n, "password")} ${n === 1 ? "is" : "are"} kept by a broken method (MD5 or DES)`,
      all.filter((one) => one.password === "md5" || one.password === "des").map(line),
      "passwd NAME sets it anew, by today's method",
    ),
  );
}
