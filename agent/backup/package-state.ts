import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Failure } from "../../contract/failures.ts";
import type { Lock } from "../../contract/lock.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { requireEnded } from "../host/ended.ts";
import { onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { mentionedPaths, parseContents, parseDiversions } from "./canonical.ts";
import type { PackageState } from "./manifest.ts";
import type { ExpectedChange } from "./path-set.ts";

const DPKG = "/var/lib/dpkg";
const SCRIPTS = ["preinst", "postinst", "prerm", "postrm"];

/** What is installed, marked and held, as dpkg and apt say it themselves. */
export async function packageState(machine: Machine): Promise<PackageState> {
  const format = "-f=${binary:Package} ${Architecture} ${Version} ${db:Status-Abbrev}\\n";
  const [packages, autoMarks, holds] = await Promise.all([
    lines(machine, "dpkg-query", ["-W", format]),
    lines(machine, "apt-mark", ["showauto"]),
    lines(machine, "apt-mark", ["showhold"]),
  ]);
  return { packages, autoMarks, holds };
}

/** SHA-256 of dpkg's status file: it changes with every package operation. */
export function statusDigest(machine: Pick<Machine, "root">): string {
  return createHash("sha256")
    .update(readFileSync(onMachine(machine, `${DPKG}/status`)))
    .digest("hex");
}

/** What a lock will touch: lists of what is installed now, contents of the locked .debs, diversions. */
export async function expectedChange(
  machine: Machine,
  lock: Lock,
  fetched: Lock["entries"] = lock.entries,
): Promise<ExpectedChange> {
  const names = [...lock.entries, ...lock.removals].map((entry) => entry.name);
  const newPaths: string[] = [];
  const mentioned = oldScriptPaths(machine, new Set(names));
  const queue = [...fetched];
  const work = async () => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
      const deb = `${HOST_PATHS.archives}/${entry.file}`;
      const result = await machine.exec("dpkg-deb", ["--contents", deb], { deadlineMs: 300_000 });
      if (requireEnded(result).exitCode !== 0)
        throw new Failure("hashMismatch", `${deb}: dpkg-deb: ${result.stderr.trim()}`);
      for (const path of parseContents(result.stdout)) newPaths.push(path);
      // Scripts that are not there are a complaint on stderr; those that are, are printed.
      const scripts = requireEnded(await machine.exec("dpkg-deb", ["--info", deb, ...SCRIPTS], { deadlineMs: 60_000 }));
      mentioned.push(...mentionedPaths(scripts.stdout));
    }
  };
  await Promise.all([work(), work(), work()]);
  return {
    packages: names,
    oldPaths: listedPaths(machine, new Set(names)),
    newPaths,
    mentioned,
    diversions: parseDiversions(diversionsText(machine)),
  };
}

/** Paths that the maintainer scripts of the installed packages name. */
function oldScriptPaths(machine: Pick<Machine, "root">, names: ReadonlySet<string>): string[] {
  const folder = onMachine(machine, `${DPKG}/info`);
  return readdirSync(folder).flatMap((file) => {
    const match = /^([^:]+)(?::.+)?\.(\w+)$/.exec(file);
    if (match === null || !names.has(match[1] ?? "") || !SCRIPTS.includes(match[2] ?? "")) return [];
    return mentionedPaths(readFileSync(`${folder}/${file}`, "utf8"));
  });
}

/** A host that never diverted anything may lack the file. */
function diversionsText(machine: Pick<Machine, "root">): string {
  const full = onMachine(machine, `${DPKG}/diversions`);
  return existsSync(full) ? readFileSync(full, "utf8") : "";
}

/** Paths in dpkg's lists of the named packages, whatever their architecture. */
function listedPaths(machine: Pick<Machine, "root">, names: ReadonlySet<string>): string[] {
  const folder = onMachine(machine, `${DPKG}/info`);
  return readdirSync(folder).flatMap((file) => {
    const match = /^([^:]+)(:.+)?\.list$/.exec(file);
    if (match === null || !names.has(match[1] ?? "")) return [];
    return readFileSync(`${folder}/${file}`, "utf8")
      .split("\n")
      .filter((path) => path.startsWith("/") && path !== "/.");
  });
}

async function lines(machine: Machine, file: string, args: readonly string[]): Promise<string[]> {
  const result = await machine.exec(file, args, { deadlineMs: 60_000 });
  if (result.exitCode !== 0) throw new Failure("internal", `${file} ${args[0]}: ${result.stderr.trim()}`);
  return result.stdout
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}
