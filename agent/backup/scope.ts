import { HOST_PATHS } from "../../contract/names.ts";
import type { Scope } from "../host/tree.ts";

/** How many paths one folder of application state may hold before it is passed over. */
export const STATE_FOLDER_LIMIT = 20_000;

const LOGS = "logs and queues";
const DATA = "application data: never put back by a package rollback";
const FETCHED = "apt fetches it again";
const OWN = "AutoPatch's own";
const LOCK = "a lock that other programs hold by its inode";

/** What is looked at before and after a change: wherever packages and their maintainer scripts write. */
export const PACKAGE_SCOPE: Scope = {
  tops: [
    "/etc",
    "/usr",
    "/usr/local",
    "/var",
    "/var/lib",
    "/var/cache",
    "/boot",
    "/boot/efi",
    "/opt",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
  ],
  leftOut: {
    "/var/log": LOGS,
    "/var/spool": LOGS,
    "/var/mail": LOGS,
    "/var/tmp": LOGS,
    "/var/cache/apt": FETCHED,
    "/var/lib/apt/lists": FETCHED,
    [HOST_PATHS.state]: OWN,
    "/var/lib/dpkg/lock": LOCK,
    "/var/lib/dpkg/lock-frontend": LOCK,
    "/var/lib/dpkg/triggers/Lock": LOCK,
    "/etc/.pwd.lock": LOCK,
    "/var/lib/amazon": "the SSM agent's own records of the commands it carries out",
    "/var/lib/docker": DATA,
    "/var/lib/containerd": DATA,
    "/var/lib/containers": DATA,
    "/var/lib/kubelet": DATA,
    "/var/lib/lxc": DATA,
    "/var/lib/lxd": DATA,
    "/var/lib/libvirt": DATA,
    "/var/lib/mysql": DATA,
    "/var/lib/postgresql": DATA,
    "/var/lib/mongodb": DATA,
    "/var/lib/redis": DATA,
    "/var/www": DATA,
  },
  bounded: { parents: ["/var/lib", "/opt"], limit: STATE_FOLDER_LIMIT },
};
