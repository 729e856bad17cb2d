import type { HostOutcome } from "../../contract/run.ts";
import type { PackageSet } from "./options.ts";

/** What a host of the local fleet is there to show. */
export type Role = "plain" | "prepared" | "edited" | "failing" | "unhealthy";

export interface StoryHost {
  readonly instanceId: string;
  readonly name: string;
  readonly role: Role;
  /** How it may end, as its packages make it. */
  readonly expected: readonly HostOutcome[];
  /** Name of the mirror of the sample repository that it alone has its packages from. @default the repository itself */
  readonly mirror?: string;
}

/**
 * The hosts of the story: the first is the canary, on which everything does well; with sample packages one host after it has a package
 * whose new maintainer script fails there and one a package that installs well but then fails its health check; one has configuration that
 * its administrator edited. A script that fails is found in the rehearsal; where no clone can be had, as in user namespaces, in the
 * install, which is then undone.
 */
export function storyHosts(count: number, packages: PackageSet): StoryHost[] {
  return Array.from({ length: count }, (_, index) => {
    const role = packages === "debian" ? "plain" : (STORY[index] ?? "plain");
    const number = String(index + 1).padStart(2, "0");
    return {
      instanceId: `i-${"0".repeat(15)}${number}`,
      name: index === 0 ? "canary-01" : `web-${number}`,
      role,
      expected: EXPECTED[role],
    };
  });
}

const EXPECTED: Readonly<Record<Role, StoryHost["expected"]>> = {
  plain: ["committed"],
  prepared: ["committed"],
  edited: ["committed"],
  failing: ["unchanged", "rolledBack"],
  unhealthy: ["rolledBack"],
};

const STORY: readonly Role[] = ["prepared", "edited", "failing", "unhealthy", "plain"];

/** Half a wave may fail: the story's second wave loses exactly that, so that the budget has something to decide. */
export const STORY_ERROR_BUDGET = 0.5;

/** How the story's run ends: what fails stays within the budget of its wave, or stops the run. Pure. */
export function storyOutcome(hosts: readonly StoryHost[]): "succeeded" | "partial" | "stopped" {
  const [, ...wave] = hosts;
  const failing = wave.filter(({ expected }) => !expected.includes("committed")).length;
  if (failing === 0) return "succeeded";
  return failing <= Math.floor(wave.length * STORY_ERROR_BUDGET) ? "partial" : "stopped";
}
