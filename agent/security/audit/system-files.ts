import type { AlteredFile } from "../../../contract/audit.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

/** Files that are not what their package brought. */
export const systemFiles: Checker = {
  id: "systemFiles",
  title: "Files against the checksums of their packages",
  run: async ({ facts }) => {
    const { files, conffiles } = await facts.alterations();
    return judgeSystemFiles(files, conffiles, facts.sums().withoutSums);
  },
};

/** Pure. */
export function judgeSystemFiles(
  files: readonly AlteredFile[],
  conffiles: readonly AlteredFile[],
  withoutSums: readonly string[],
): Looked {
  const altered = files.filter((one) => one.what !== "missing" && one.what !== "unreadable");
  const reinstall = (list: readonly AlteredFile[]) =>
    `apt-get install --reinstall ${[...new Set(list.map((one) => one.package))].slice(0, 5).join(" ")}${new Set(list.map((one) => one.package)).size > 5 ? " …" : ""}`;
  const missing = files.filter((one) => one.what === "missing");
  const unreadable = files.filter((one) => one.what === "unreadable");
  return looked(
    draft(
      "systemFilesAltered",
      altered.some((one) => PROGRAM.test(one.path)) ? "critical" : "high",
      (n) => `${count(n, "system file")} ${n === 1 ? "differs" : "differ"} from what the package brought`,
      altered.map(line),
      `Find out who changed them. Then: ${reinstall(altered)}`,
    ),
    draft(
      "systemFilesMissing",
      missing.some((one) => PROGRAM.test(one.path)) ? "high" : "medium",
      (n) => `${count(n, "system file")} ${n === 1 ? "is" : "are"} missing`,
      missing.map(line),
      reinstall(missing),
    ),
    draft(
      "systemFilesUnreadable",
      "medium",
      (n) => `${count(n, "system file")} cannot be read`,
      unreadable.map(line),
      "Look at the disk: dmesg | tail; fsck at the next boot",
    ),
    draft(
      "conffilesChanged",
      "info",
      (n) => `${count(n, "configuration file")} ${n === 1 ? "was" : "were"} changed or removed by an administrator`,
      conffiles.map(line),
      "Nothing, when the changes are yours; see them beside the package's own with ucf or debdiff",
    ),
    draft(
      "packagesWithoutSums",
      "info",
      (n) => `${count(n, "package")} brought no checksums: nothing can be said of the files`,
      withoutSums,
      "Nothing; debsums --generate=missing makes them from the packages",
    ),
  );
}

/** Where a changed file is run, not merely read. */
const PROGRAM = /^\/(usr\/)?(s?bin|lib\w*\/(.*\.so[.\d]*|systemd\/.*|security\/.*))(\/|$)|^\/boot\//;

function line({ package: owner, path, what }: AlteredFile): string {
  const words = { content: "other content", missing: "missing", type: "no regular file", unreadable: "unreadable" };
  return `${path} (${owner}): ${words[what]}`;
}
