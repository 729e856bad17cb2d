import { type AgentTreeOptions, agentTree, programLinks } from "./agent-tree.ts";
import { layTree, type TreeEntry } from "./tree.ts";
import { ENABLED, unitFiles } from "./unit-files.ts";

/**
 * Lays the installed agent out in a folder, as its package does: to be stacked over a host's root, or copied into it.
 * @param dir an empty folder
 */
export function layAgent(dir: string, options: AgentTreeOptions): void {
  layTree(dir, [...agentTree(options), ...programLinks(), ...enabling()]);
}

/** What `systemctl enable`, in the package's postinst, does: a link in the folder of each target that [Install] names. */
function enabling(): TreeEntry[] {
  return unitFiles()
    .filter(({ name }) => ENABLED.includes(name))
    .flatMap(({ name, text }) =>
      [...text.matchAll(/^WantedBy=(.*)$/gm)].map(([, target]) => ({
        path: `/etc/systemd/system/${target}.wants/${name}`,
        kind: "link",
        target: `/usr/lib/systemd/system/${name}`,
      })),
    );
}
