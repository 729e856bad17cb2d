import { readFileSync } from "node:fs";
import { codeOf, onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { type LoginAccount, loginAccounts } from "./decide.ts";
import { carriedOut, type Measure } from "./measure.ts";

/** The first day of 1970 but one: in the past for every clock. An expired account is refused by ssh keys, passwords, su and cron alike. */
const EXPIRED = "1";
const NEVER = "-1";

/** Logins of people locked by expiry, which leaves passwords as they are. */
export const accounts: Measure = {
  name: "logins",
  engage: (machine, record) => each(record.accounts, ({ name }) => expire(machine, name, EXPIRED)),
  release: (machine, record) => each(record.accounts, ({ name, expires }) => expire(machine, name, expires || NEVER)),
};

/** Accounts of this host's own files that people log in with. A directory service's are not among them. */
export function currentAccounts(machine: Pick<Machine, "root">): LoginAccount[] {
  const uidMin = Number(/^UID_MIN\s+(\d+)/m.exec(textOf(machine, "/etc/login.defs"))?.[1] ?? "1000");
  return loginAccounts(textOf(machine, "/etc/passwd"), textOf(machine, "/etc/shadow"), uidMin);
}

async function expire(machine: Machine, name: string, day: string): Promise<string[]> {
  return await carriedOut(machine, "chage", ["--expiredate", day, name]);
}

async function each(accounts: readonly LoginAccount[], work: (account: LoginAccount) => Promise<string[]>) {
  const problems: string[] = [];
  for (const account of accounts) problems.push(...(await work(account)));
  return problems;
}

function textOf(machine: Pick<Machine, "root">, path: string): string {
  try {
    return readFileSync(onMachine(machine, path), "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}
