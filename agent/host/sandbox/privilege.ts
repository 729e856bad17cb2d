import type { Exec } from "../exec.ts";
import { SandboxFailure } from "./failure.ts";

/** By what right a sandbox is made: as root of the machine, or as root of a user namespace with a range of ids. */
export type Privilege = "root" | "userNamespace";

/** The flags that make an unprivileged user root of a namespace with the ids of /etc/subuid and /etc/subgid. */
export const USER_NAMESPACE_FLAGS = ["--user", "--map-root-user", "--map-auto"] as const;

/**
 * Finds the right this process has by trying, since neither a uid nor a sysctl tells the whole truth.
 * @throws SandboxFailure `privilegeMissing` with the kernel's or unshare's own words and the way out.
 */
export async function detectPrivilege(exec: Exec): Promise<Privilege> {
  const deadlineMs = 10_000;
  const asRoot = await exec("unshare", ["--mount", "--pid", "--fork", "true"], { deadlineMs });
  if (asRoot.exitCode === 0) return "root";
  const asUser = await exec("unshare", [...USER_NAMESPACE_FLAGS, "--mount", "--pid", "--fork", "true"], { deadlineMs });
  if (asUser.exitCode === 0) return "userNamespace";
  throw new SandboxFailure(
    "privilegeMissing",
    `sandbox: no right to make one. As this user: ${lastLine(asRoot.stderr)}; with a user namespace: ${lastLine(asUser.stderr)}.\n` +
      "  Run it as root; or install the package uidmap, give the user a line in /etc/subuid and /etc/subgid, and allow user\n" +
      "  namespaces (sysctl user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu).",
  );
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
