import { readFileSync } from "node:fs";
import { readAccounts } from "../../host/accounts.ts";
import { onMachine } from "../../host/files.ts";
import type { Machine } from "../../host/machine.ts";
import { statPath } from "../../host/tree.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";
import { octal } from "./file-modes.ts";

/** How many keys let somebody in as a user. */
export interface AuthorizedSeen {
  readonly user: string;
  readonly uid: number;
  readonly path: string;
  readonly keys: number;
  readonly owner: number;
  readonly mode: number;
}

export const authorizedKeys: Checker = {
  id: "authorizedKeys",
  title: "Keys that may log in over ssh",
  comprehensive: true,
  run: async ({ machine }) => judgeAuthorized(readAuthorized(machine)),
};

/** Pure. */
export function judgeAuthorized(seen: readonly AuthorizedSeen[]): Looked {
  const line = (one: AuthorizedSeen) => `${one.user}: ${count(one.keys, "key")} in ${one.path}`;
  return looked(
    draft(
      "authorizedKeysWritable",
      "high",
      (n) => `Others may write ${count(n, "file")} of keys that log in`,
      seen
        .filter((one) => (one.mode & 0o022) !== 0 || (one.owner !== one.uid && one.owner !== 0))
        .map((one) => `${one.path} (user ${one.owner}, mode ${octal(one.mode)})`),
      "chown USER: PATH; chmod 600 PATH; then read it",
    ),
    draft(
      "authorizedKeysOfRoot",
      "low",
      () => "Keys log in as root",
      seen.filter((one) => one.uid === 0 && one.keys > 0).map(line),
      "Let people log in as themselves and use sudo",
    ),
    draft(
      "authorizedKeys",
      "info",
      (n) => `${count(n, "account")} may be entered with keys`,
      seen.filter((one) => one.uid !== 0 && one.keys > 0).map(line),
      "Remove the lines of those who have left",
    ),
  );
}

function readAuthorized(machine: Pick<Machine, "root">): AuthorizedSeen[] {
  return readAccounts(machine).flatMap(({ name, uid, home }) =>
    ["authorized_keys", "authorized_keys2"].flatMap((file) => {
      const path = `${home.replace(/\/$/, "")}/.ssh/${file}`;
      const stat = home.startsWith("/") ? statPath(machine, path) : null;
      // A link may lead anywhere, and is not followed as root.
      if (stat === null || stat.type !== "file") return [];
      const lines = readFileSync(onMachine(machine, path), "utf8").split("\n");
      const keys = lines.filter((text) => text.trim() !== "" && !text.trim().startsWith("#")).length;
      return [{ user: name, uid, path, keys, owner: stat.uid, mode: stat.mode }];
    }),
  );
}
