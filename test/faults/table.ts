/** A fault or attack that a host must survive, with the tests that prove it. */
export interface Fault {
  /** As the field's own list counts them; those that are missing here are the fleet's. */
  readonly number: number;
  readonly fault: string;
  readonly expected: string;
  /** File below test/ to the names, or beginnings of names, of its tests. */
  readonly provenBy: Readonly<Record<string, readonly string[]>>;
}

export const FAULTS: readonly Fault[] = [
  {
    number: 1,
    fault: "SIGKILL in every phase of dpkg",
    expected: "forward or back, never a false success",
    provenBy: {
      "crash/crash.test.ts": ["killed in ten random moments"],
      "agent/patch/interrupted.test.ts": ["killed before unpacking", "killed while configuring", "the way back killed"],
      "agent/patch/killed-programs.test.ts": ["install, when /usr/bin/apt-get is killed"],
      "agent/patch/trial.test.ts": ["a power loss in the middle of dpkg"],
    },
  },
  {
    number: 2,
    fault: "half-configured packages before the start",
    expected: "refused, and said",
    provenBy: {
      "agent/patch/preflight.test.ts": ["what keeps a host from being patched is named > a half-configured package"],
      "agent/patch/preconditions.test.ts": ["what dpkg left unfinished is told in words"],
    },
  },
  {
    number: 3,
    fault: "dpkg's or apt's lock is held",
    expected: "bounded wait, holder named",
    provenBy: {
      "agent/patch/preflight.test.ts": [
        "what keeps a host from being patched is named > a lock that another program holds",
      ],
    },
  },
  {
    number: 4,
    fault: "preinst, postinst, prerm, postrm failing",
    expected: "exact previous versions back",
    provenBy: {
      "agent/patch/maintainer-scripts.test.ts": [
        "a failing preinst",
        "a failing postinst",
        "a failing prerm",
        "a failing postrm",
        "a script that does everything a script can",
      ],
      "agent/patch/adversaries.test.ts": ["nine packages that do not go back", "the same nine, and a tenth"],
    },
  },
  {
    number: 5,
    fault: "a maintainer script hangs",
    expected: "deadline, its processes killed, rolled back",
    provenBy: { "agent/programs/install.test.ts": ["a maintainer script that hangs"] },
  },
  {
    number: 6,
    fault: "disk or inodes full at download, backup or unpack",
    expected: "preflight refuses, else rolled back",
    provenBy: {
      "agent/patch/preflight.test.ts": ["what keeps a host from being patched is named > a disk that is too small"],
      "agent/patch/preconditions.test.ts": ["disk > inodes count"],
      "agent/patch/full-disk.test.ts": [
        "the disk fills up at download",
        "the disk has no bytes left while dpkg unpacks",
        "the disk has no inodes left while dpkg unpacks",
      ],
      "agent/patch/install-gates.test.ts": ["no room for the backup"],
    },
  },
  {
    number: 7,
    fault: "backup truncated, or the disk full during it",
    expected: "nothing is installed",
    provenBy: {
      "agent/patch/install-gates.test.ts": [
        "a backup that was cut short",
        "the disk fills up while the backup is written",
        "without a backup of this run",
      ],
    },
  },
  {
    number: 8,
    fault: "tampered .deb of the same size",
    expected: "refused before dpkg sees it",
    provenBy: {
      "agent/patch/install-gates.test.ts": ["a .deb that was changed after verification"],
      "agent/patch/download.test.ts": ["a .deb of the same size with other bytes"],
      "agent/patch/verify.test.ts": [
        "a change behind apt's back is refused, marked in the log and kept > a .deb of the same size",
      ],
    },
  },
  {
    number: 9,
    fault: "same version, other hash",
    expected: "refused and marked as a violation; the fleet's hosts are compared",
    provenBy: {
      "agent/patch/moving-mirror.test.ts": ["the same version with another hash"],
      "agent/patch/split-view.test.ts": [
        "another Release of the same date",
        "a version this host saw with other bytes before",
      ],
      "lambdas/fleet/split-views.test.ts": ["a wave whose hosts are shown something else than the canary was"],
    },
  },
  {
    number: 10,
    fault: "InRelease unsigned, by an unknown or revoked key",
    expected: "refused",
    provenBy: {
      "agent/patch/preflight-repositories.test.ts": [
        "one whose InRelease has a byte changed",
        "one signed by a key the host does not know",
      ],
      "agent/patch/verify.test.ts": [
        "a change behind apt's back is refused, marked in the log and kept > an InRelease whose signature is gone",
        "a source marked trusted=yes",
      ],
      "agent/security/release.test.ts": ["gpgv's status lines > a revoked key"],
      "agent/security/release-signature.test.ts": ["gpgv: a Release", "sqv: a Release"],
    },
  },
  {
    number: 11,
    fault: "old metadata replayed with a valid signature",
    expected: "age alarm",
    provenBy: {
      "agent/patch/preflight-repositories.test.ts": ["old metadata with a valid signature is stale"],
      "agent/patch/verify.test.ts": ["a Release past its Valid-Until is refused"],
      "agent/patch/split-view.test.ts": ["a mirror that is some hours behind is no replay"],
      "agent/security/release-record.test.ts": ["a Release that is an older one", "a Release that is one led back"],
    },
  },
  {
    number: 12,
    fault: "Packages file that does not belong to its Release",
    expected: "refused",
    provenBy: {
      "agent/patch/verify.test.ts": [
        "a change behind apt's back is refused, marked in the log and kept > a Packages index that its Release does not list",
      ],
    },
  },
  {
    number: 13,
    fault: "endless or slow mirror data",
    expected: "byte and time caps",
    provenBy: {
      "agent/patch/download.test.ts": ["data without end is cut"],
      "agent/patch/moving-mirror.test.ts": ["a mirror that sends a byte now and then"],
    },
  },
  {
    number: 14,
    fault: "clock wrong, either way",
    expected: "distinct errors",
    provenBy: {
      "agent/patch/preflight-repositories.test.ts": [
        "a Release from the future says that the clock is behind",
        "a server whose time differs says that the clock is ahead",
        "a server whose time differs says that the clock is behind",
      ],
      "agent/security/fleet-lock.test.ts": ["a fleet lock from the future", "a fleet lock that has expired"],
    },
  },
  {
    number: 15,
    fault: "edited conffile and a debconf question, stdin closed",
    expected: "policy applied, the original back on rollback",
    provenBy: {
      "agent/patch/questions.test.ts": [
        "an edited conffile and a debconf question, policy keep",
        "an edited conffile and a debconf question, policy replace",
      ],
      "agent/patch/conffiles.test.ts": ["/etc/app/keep.conf"],
    },
  },
  {
    number: 16,
    fault: "held, pinned and phased packages",
    expected: "respected and explained",
    provenBy: {
      "agent/patch/download.test.ts": ["held and pinned packages are left out"],
      "agent/patch/plan.test.ts": ["every pending update that is not in the plan has its reason > phased"],
      "agent/patch/fleet-plan.test.ts": ["of a fleet lock a host gets what it has in an older version"],
    },
  },
  {
    number: 17,
    fault: "extra dependency or removal after approval",
    expected: "stops",
    provenBy: {
      "agent/patch/moving-mirror.test.ts": ["an extra dependency that the lock does not have"],
      "agent/patch/install-gates.test.ts": ["apt wanting anything but the lock stops it"],
      "agent/patch/fleet-lock.test.ts": ["a host that would need what the fleet lock does not have"],
      "agent/patch/apt-words.test.ts": ["a simulation is the lock, or each way"],
    },
  },
  {
    number: 18,
    fault: "target superseded in mid-rollout",
    expected: "the stored copy, never the latest",
    provenBy: {
      "agent/patch/moving-mirror.test.ts": ["superseded after it was locked"],
      "agent/patch/fleet-lock.test.ts": [
        "superseded in mid-rollout",
        "download.sh --lock takes what concerns the host",
      ],
    },
  },
  {
    number: 19,
    fault: "the host does not come back from its reboot, or nobody reaches it afterwards",
    expected:
      "said to have failed; goes back by itself when it boots; where that was asked for, its root volume is replaced",
    provenBy: {
      "lambdas/root-volumes.test.ts": [
        "a host that does not come back gets its root volume back",
        "a host that comes back by itself when its trial ends",
      ],
      "lambdas/fleet/invocation.test.ts": ["a host that does not come back from its reboot"],
      "lambdas/misbehaving-hosts.test.ts": [
        "while it is changed or on trial > a host that is stuck in its reboot",
        "while it is changed or on trial > a host that is away for its reboot and comes back",
      ],
      "agent/patch/trial.test.ts": ["a reboot that the change wants", "a trial that nobody commits ends by itself"],
      "agent/patch/trial-clock.test.ts": ["a host that boots again and again"],
    },
  },
  {
    number: 20,
    fault: "healthy at first, failing minutes later",
    expected: "the check after the bake catches it; the host goes back, its wave stops the run",
    provenBy: {
      "lambdas/misbehaving-hosts.test.ts": [
        "after the bake > a host that is healthy at first",
        "after the bake > a host that is terminated",
        "a wave that stops the run > goes back as a whole when a host fails only after the bake",
      ],
      "agent/patch/check.test.ts": ["a host that fails minutes after its commit"],
    },
  },
  {
    number: 22,
    fault: "S3 or SSM throttled or denied",
    expected:
      "retries with jitter, then fails closed: no backup that is not whole, no host that is said to be what nobody saw",
    provenBy: {
      "lambdas/misbehaving-services.test.ts": ["Systems Manager > ", "S3 > "],
      "lambdas/handlers.test.ts": ["a command is noted before it is sent", "a try that was left open is made again"],
      "agent/host/backup-upload.test.ts": [
        "throttling is waited out; when it does not end, or S3 refuses, the backup is not listed",
        "a large file goes in parts; killed in between, only what is missing is sent, and the object is the file",
      ],
    },
  },
  {
    number: 23,
    fault: "events duplicated, reordered, lost or early",
    expected: "one execution, and no wait without an end",
    provenBy: {
      "lambdas/patch-fleet.test.ts": ["a fleet is patched when events come", "a host that never answers is waited for"],
      "lambdas/handlers.test.ts": [
        "an event when",
        "an event that comes before its results",
        "called again after its answer was lost",
        "called again after the command has ended",
      ],
      "lambdas/patch-batch.test.ts": ["every state and every branch"],
    },
  },
  {
    number: 25,
    fault: "agent killed; request or fleet lock forged, replayed or for another host",
    expected: "resumes from the journal; rejected",
    provenBy: {
      "agent/patch/interrupted.test.ts": ["after a kill the next run's preflight"],
      "agent/programs/install.test.ts": ["an install that was ended before it was committed"],
      "agent/programs/step.test.ts": [
        "a request that is not for this host, step or time changes nothing and is answered",
        "a first call that was killed is taken over",
        "the same request twice, and twice at once",
      ],
      "agent/security/fleet-lock.test.ts": ["a fleet lock "],
      "contract/fleet-lock.test.ts": ["a document with"],
      "lambdas/misbehaving-hosts.test.ts": [
        "while it is changed or on trial > a host that is killed in its install",
        "while it is changed or on trial > a host that is answering for another",
      ],
    },
  },
  {
    number: 26,
    fault: "/var/tmp/autopatch made by another user, or a link; /var/tmp cleaned",
    expected: "refused; not cleaned",
    provenBy: {
      "agent/patch/preflight.test.ts": ["a work folder that somebody else made is refused"],
      "agent/patch/install-gates.test.ts": ["a backup folder that somebody else made first"],
      "agent/host/files.test.ts": ["what somebody else made is refused"],
      "agent/security/fleet-lock.test.ts": ["a key "],
      "agent/patch/verify.test.ts": [
        "a change behind apt's back is refused, marked in the log and kept > a keyring that others may write",
        "a change behind apt's back is refused, marked in the log and kept > a .deb that others may write",
      ],
      "agent/build/tmpfiles.test.ts": ["cleaning /var/tmp, as Debian 13 does"],
    },
  },
];

/** Every test file that the faults need. */
export function faultFiles(faults: readonly Fault[] = FAULTS): string[] {
  return [...new Set(faults.flatMap(({ provenBy }) => Object.keys(provenBy)))].sort();
}

/** Those of a file's tests that a name of the table means. Full names join the groups of a test with " > ". */
export function meant(name: string, fullNames: readonly string[]): string[] {
  return fullNames.filter((full) => full.startsWith(name));
}
