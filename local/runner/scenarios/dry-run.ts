import type { Scenario } from "../scenario.ts";
import { usual } from "./usual.ts";

/** The same states and steps, and nothing on a host changes. */
export const dryRun: Scenario = {
  ...usual,
  name: "dry-run",
  about: "the same states and steps; nothing on a host changes",
  options: { dryRun: true },
};
