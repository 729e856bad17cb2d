import { accounts } from "./accounts.ts";
import { authorizedKeys } from "./authorized-keys.ts";
import { backups } from "./backups.ts";
import { capabilities } from "./capabilities.ts";
import type { Checker } from "./checker.ts";
import { failedUnits } from "./failed-units.ts";
import { fileModes } from "./file-modes.ts";
import { heldSecurity } from "./held-security.ts";
import { kernel } from "./kernel.ts";
import { keys } from "./keys.ts";
import { listening } from "./listening.ts";
import { origins } from "./origins.ts";
import { ownPaths } from "./own-paths.ts";
import { reboot } from "./reboot.ts";
import { recentChanges } from "./recent-changes.ts";
import { releases } from "./releases.ts";
import { scheduled } from "./scheduled.ts";
import { securityUpdates } from "./security-updates.ts";
import { setuid } from "./setuid.ts";
import { lastInstall } from "./since-install.ts";
import { sources } from "./sources.ts";
import { ssh } from "./ssh.ts";
import { sudo } from "./sudo.ts";
import { systemFiles } from "./system-files.ts";
import { unitFiles } from "./unit-files.ts";
import { violations } from "./violations.ts";

/** Everything that is looked for, in the order of the report. */
export const CHECKERS: readonly Checker[] = [
  violations,
  ownPaths,
  systemFiles,
  fileModes,
  setuid,
  lastInstall,
  sources,
  releases,
  keys,
  securityUpdates,
  heldSecurity,
  reboot,
  backups,
  accounts,
  sudo,
  ssh,
  listening,
  failedUnits,
  kernel,
  capabilities,
  scheduled,
  unitFiles,
  authorizedKeys,
  origins,
  recentChanges,
];
