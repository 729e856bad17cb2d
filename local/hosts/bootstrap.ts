import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Exec, ExecResult } from "../../agent/host/exec.ts";
import { type Privilege, USER_NAMESPACE_FLAGS } from "../../agent/host/sandbox/privilege.ts";
import type { BaseRecipe } from "./base-recipe.ts";
import { HostsFailure } from "./failure.ts";
import type { MachineArchive } from "./machine-archive.ts";

const DEADLINE_MS = 10 * 60_000;

export interface Bootstrap {
  readonly exec: Exec;
  readonly recipe: BaseRecipe;
  readonly archive: MachineArchive;
  readonly privilege: Privilege;
  /** mmdebstrap, see bootstrapper.ts. */
  readonly program: string;
  /** Empty folder that becomes the root. Its parent is used for what is only needed meanwhile. */
  readonly root: string;
  readonly progress: (phase: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Unpacks and configures a Debian root with mmdebstrap (17 s for minbase where debootstrap takes 29 s), in namespaces of its own, so that
 * nothing stays mounted however it ends.
 * @throws HostsFailure `registryUnreachable` with the URL and apt's words, `commandFailed`
 */
export async function bootstrap(how: Bootstrap): Promise<void> {
  const { recipe, archive } = how;
  const keyring = archive.signedBy.startsWith("/") ? archive.signedBy : join(how.root, "..", "archive.asc");
  if (keyring !== archive.signedBy) writeFileSync(keyring, archive.signedBy);
  const options = [
    "--variant=minbase",
    ...(recipe.packages.length > 0 ? [`--include=${recipe.packages.join(",")}`] : []),
    // The cache folder is closed to apt's own user.
    ...['APT::Sandbox::User "root"', 'Acquire::Languages "none"', ...archive.access].map((line) => `--aptopt=${line}`),
    "--dpkgopt=force-unsafe-io",
  ];
  const source = `deb [signed-by=${keyring}] ${archive.mirror} ${recipe.suite} main`;
  if (how.privilege === "root") {
    await run(how, [how.program, "--mode=root", "--format=directory", ...options, recipe.suite, how.root, source]);
    return;
  }
  // mmdebstrap maps ids its own way; a tar file carries them over to the mapping the sandboxes use.
  const tar = join(how.root, "..", "root.tar");
  await run(how, [how.program, "--mode=unshare", "--format=tar", ...options, recipe.suite, tar, source]);
  how.progress("unpacking the base");
  await run(how, ["unshare", ...USER_NAMESPACE_FLAGS, "tar", "-C", how.root, "--exclude=./dev/*", "-xpf", tar]);
  await run(how, ["rm", tar]);
}

async function run(how: Bootstrap, command: readonly string[]): Promise<void> {
  const namespaces =
    how.privilege === "root"
      ? ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]
      : [];
  const result = await how.exec("setpriv", ["--pdeathsig", "KILL", ...namespaces, ...command], {
    deadlineMs: DEADLINE_MS,
    ...(how.signal === undefined ? {} : { signal: how.signal }),
    onStderr: (chunk) => {
      for (const [, phase] of chunk.matchAll(/^I: (.+?)(?:\.\.\.)?$/gm)) if (phase !== undefined) how.progress(phase);
    },
  });
  if (result.exitCode === 0) return;
  const words = `${result.stdout}\n${result.stderr}`;
  throw explain(how.archive, words, result);
}

function explain(archive: MachineArchive, words: string, result: ExecResult): HostsFailure {
  const errors = words
    .split("\n")
    .filter((line) => /^(E|W|Err| {2}): ?|^Err:|Could not|Failed to fetch/.test(line.trim()));
  const said = [...new Set(errors.map((line) => line.trim()))].slice(-6).join("\n    ");
  if (/Failed to fetch|Could not (resolve|connect)|Unable to connect|does not have a Release file/.test(words)) {
    return new HostsFailure(
      "registryUnreachable",
      `${archive.mirror}: the Debian archive of this machine's apt configuration cannot be used. apt says:\n    ${said}\n` +
        "  Check the network, the proxy in apt's configuration and the mirror in /etc/apt/sources.list.d.",
    );
  }
  const ended = result.timedOut
    ? `did not end within ${DEADLINE_MS} ms`
    : `ended with ${result.exitCode ?? result.signal}`;
  return new HostsFailure(
    "commandFailed",
    `${result.command.slice(0, 4).join(" ")} … ${ended}:\n    ${said || words.slice(-800)}`,
  );
}
