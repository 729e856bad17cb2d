import { readFileSync } from "node:fs";
import { onMachine } from "./files.ts";
import type { Machine } from "./machine.ts";

/** One line of passwd and what shadow says of it. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  readonly shell: string;
  /** How its password is kept: not at all, locked, by a named method, or unknown to us. */
  readonly password: "empty" | "locked" | "md5" | "des" | "strong";
}

export function readAccounts(machine: Pick<Machine, "root">): Account[] {
  const read = (path: string) => readFileSync(onMachine(machine, path), "utf8");
  return parseAccounts(read("/etc/passwd"), read("/etc/shadow"));
}

/** Pure: passwd(5) and shadow(5). */
export function parseAccounts(passwd: string, shadow: string): Account[] {
  const hashes = new Map(shadow.split("\n").map((line) => [line.split(":")[0] ?? "", line.split(":")[1] ?? ""]));
  return passwd.split("\n").flatMap((line) => {
    const [name = "", field = "", uid = "", , , home = "", shell = ""] = line.split(":");
    if (name === "" || name.startsWith("+") || !/^\d+$/.test(uid)) return [];
    const hash = field === "x" ? (hashes.get(name) ?? "!") : field;
    return [{ name, uid: Number(uid), home, shell, password: methodOf(hash) }];
  });
}

function methodOf(hash: string): Account["password"] {
  if (hash === "") return "empty";
  if (/^[!*]/.test(hash)) return "locked";
  if (hash.startsWith("$1$")) return "md5";
  return /^[A-Za-z0-9./]{13}$/.test(hash) ? "des" : "strong";
}
