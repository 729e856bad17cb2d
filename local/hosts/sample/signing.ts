import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandNotFound, type Exec } from "../../../agent/host/exec.ts";
import { HostsFailure } from "../failure.ts";

/** A key of its own, for Release files. */
export interface Signer {
  /** Writes InRelease and Release.gpg beside a folder's Release. @throws HostsFailure `commandFailed` */
  sign(folder: string): Promise<void>;
  /** Forgets the secret key. */
  close(): void;
}

/**
 * Makes a key and writes its public half to `keyring`. Each gpg runs in a PID namespace of its own, so that no gpg-agent outlives it.
 * @throws HostsFailure `toolMissing`, `commandFailed`
 */
export async function openSigner(exec: Exec, keyring: string): Promise<Signer> {
  // Short, because the agent's socket lies in it and a socket's path has 108 bytes.
  const home = mkdtempSync(join(tmpdir(), "apkey-"));
  const close = () => rmSync(home, { recursive: true, force: true });
  const isolated = ["unshare", ...(process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"]), "--pid", "--fork"];
  const gpg = async (...args: string[]) => {
    const command = ["--pdeathsig", "KILL", ...isolated, "--kill-child=KILL", "gpg", "--batch", "--yes", ...args];
    const result = await exec("setpriv", command, {
      deadlineMs: 60_000,
      env: { PATH: process.env.PATH ?? "/usr/bin:/bin", GNUPGHOME: home },
    });
    if (result.exitCode === 0) return;
    if (/failed to execute gpg/.test(result.stderr)) throw toolMissing();
    throw new HostsFailure("commandFailed", `gpg ${args[0]} ended with ${result.exitCode}: ${result.stderr.trim()}`);
  };
  try {
    await gpg("--passphrase", "", "--quick-generate-key", "AutoPatch sample repository", "ed25519", "sign", "never");
    await gpg("--output", keyring, "--export");
  } catch (error) {
    close();
    if (error instanceof CommandNotFound) throw toolMissing();
    throw error;
  }
  return {
    sign: async (folder) => {
      const release = join(folder, "Release");
      await gpg("--clearsign", "--output", join(folder, "InRelease"), release);
      await gpg("--detach-sign", "--armor", "--output", join(folder, "Release.gpg"), release);
    },
    close,
  };
}

function toolMissing(): HostsFailure {
  return new HostsFailure(
    "toolMissing",
    "gpg is not installed, and the sample repository is signed with it.\n  apt-get install gpg",
  );
}
