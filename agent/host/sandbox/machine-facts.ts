import { HOST_PATHS } from "../../../contract/names.ts";

/** File systems that hold a machine's own files. Others are the kernel's, the network's, or read-only images. */
const OWN = new Set(["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "reiserfs", "zfs", "overlay", "vfat"]);
/** Where packages put nothing, or where the clone has something of its own. */
const APART =
  /^\/(run|proc|sys|dev|tmp|mnt|media|home|srv|snap)(\/|$)|^\/var\/lib\/(docker|containerd|containers|kubelet|lxc|lxd)\//;

/** What the agent in the clone works with: a volume of any kind may hold it, such as one of the network's. */
const WORKED_WITH = [HOST_PATHS.work, HOST_PATHS.backups];

/**
 * The folders on which /proc/self/mountinfo has file systems of the machine's own besides the root's, or such as hold what AutoPatch works
 * with, parents first. An overlay over `/` shows none of them. Pure.
 */
export function ownFileSystems(mountinfo: string): string[] {
  const found = new Set<string>();
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const at = plainPath(left.split(" ")[4] ?? "");
    if (at === "/" || APART.test(at)) continue;
    const isNeeded = WORKED_WITH.some((path) => path === at || path.startsWith(`${at}/`));
    if (!isNeeded && !OWN.has(right.split(" ")[0] ?? "")) continue;
    // Overlay options give these a meaning, and a file may be a mount too.
    if (/^\/[^:,\\\n]*$/.test(at)) found.add(at);
  }
  return [...found].sort();
}

/**
 * Paths in /proc/net/unix at which a daemon of the machine listens, outside the folders that a clone has of its own. A socket is found
 * through an overlay and no network namespace hides it: whoever may write to it talks to the machine. Pure.
 */
export function listeningSockets(unix: string): string[] {
  const paths = unix.split("\n").flatMap((line) => {
    const path = /^\S+ \S+ \S+ \S+ \S+ \S+ +\d+ (\/.*)$/.exec(line)?.[1];
    return path === undefined || /^\/(var\/)?(run|dev|tmp|proc|sys)\//.test(path) ? [] : [path];
  });
  return [...new Set(paths)].sort();
}

/** Blanks and the like stand as octal numbers there. */
function plainPath(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
