import type { Declaration } from "./declaration.ts";
import {
  autoUpdateVerb,
  daemonVerb,
  fullUpdateVerb,
  installVerb,
  lockdownVerb,
  publishVerb,
  recoveryVerb,
  statusVerb,
} from "./manager-verbs.ts";
import { suggestion, Usage } from "./program.ts";

export const declaration = {
  name: "autopatch-manager.sh",
  summary: "tell and change how this host is patched",
  about: "What is asked of AutoPatch as a whole, by a verb.",
  flags: {},
  verbs: {
    "auto-update": autoUpdateVerb,
    "full-update": fullUpdateVerb,
    "show-status": statusVerb,
    "publish-metrics": publishVerb,
    "manage-daemon": daemonVerb,
    install: installVerb,
    "emergency-lockdown": lockdownVerb,
    "disaster-recovery": recoveryVerb,
  },
  exits: ["blocked", "security", "backup", "unhealthy", "rollback"],
} as const satisfies Declaration;

export async function run(args: readonly string[]): Promise<number> {
  const [verb = "", ...rest] = args;
  if (isVerb(verb)) return await RUN[verb](rest);
  const known = Object.keys(declaration.verbs);
  throw new Usage(
    `${declaration.name}: ${verb === "" ? "say what to do" : `unknown command ${verb}`}${suggestion(verb, known)}`,
  );
}

type Verb = keyof typeof declaration.verbs;

/** Each verb's code is loaded only when it is called. */
const RUN: Readonly<Record<Verb, (args: readonly string[]) => Promise<number>>> = {
  "auto-update": async (args) => (await import("./update.ts")).runAutoUpdate(args),
  "full-update": async (args) => (await import("./update.ts")).runFullUpdate(args),
  "show-status": async (args) => (await import("./show-status.ts")).runShowStatus(args),
  "publish-metrics": async (args) => (await import("./publish-metrics.ts")).publishMetrics(args),
  "manage-daemon": async (args) => (await import("./manage-daemon.ts")).runManageDaemon(args),
  install: async (args) => (await import("./configure.ts")).runInstall(args),
  "emergency-lockdown": async (args) => (await import("./emergency-lockdown.ts")).runLockdown(args),
  "disaster-recovery": async (args) => (await import("./disaster-recovery.ts")).runDisasterRecovery(args),
};

function isVerb(word: string): word is Verb {
  return Object.hasOwn(declaration.verbs, word);
}
