import { PROGRAMS, type ProgramName } from "./choose.ts";
import type { Declaration } from "./declaration.ts";
import type { Program } from "./program.ts";

/** Each program is loaded only when it is called: start-up time is what is loaded. */
export const LOAD: Record<ProgramName, () => Promise<Program>> = {
  step: () => import("./step.ts"),
  manager: () => import("./manager.ts"),
  download: () => import("./download.ts"),
  install: () => import("./install.ts"),
  rollback: () => import("./rollback.ts"),
  maintenance: () => import("./maintenance.ts"),
  exporter: () => import("./exporter.ts"),
  daemon: () => import("./daemon.ts"),
  watchdog: () => import("./watchdog.ts"),
  recover: () => import("./recover.ts"),
  clone: () => import("./clone.ts"),
};

/** What every program says of itself, in the order of PROGRAMS; loads all of them. */
export async function declarations(): Promise<Declaration[]> {
  return Promise.all(PROGRAMS.map(async (name) => (await LOAD[name]()).declaration));
}
