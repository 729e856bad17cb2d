import type { Scenario } from "../scenario.ts";
import { approval } from "./approval.ts";
import { dryRun } from "./dry-run.ts";
import { resume } from "./resume.ts";
import { splitView } from "./split-view.ts";
import { stop } from "./stop.ts";
import { superseded } from "./superseded.ts";
import { usual } from "./usual.ts";

/** Every story that `npm start -- --scenario NAME` can tell. */
export const SCENARIOS: readonly Scenario[] = [usual, dryRun, approval, stop, resume, splitView, superseded];
