import { parseArgs } from "node:util";
import { nearest } from "../../contract/nearest.ts";
import type { Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { usual } from "./scenarios/usual.ts";

export const MOST_HOSTS = 20;
export const PACKAGE_SETS = ["debian", "sample", "both"] as const;
export type PackageSet = (typeof PACKAGE_SETS)[number];

/** What a person asked `npm start` for. */
export interface Options {
  readonly scenario: Scenario;
  readonly hosts: number;
  readonly packages: PackageSet;
  readonly dryRun: boolean;
  readonly keep: boolean;
  readonly serve: boolean;
  readonly json: string | null;
  readonly html: string | null;
}

/** Something typed wrong: the message names it and the way out. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const FLAGS = {
  scenario: { type: "string" },
  hosts: { type: "string" },
  packages: { type: "string" },
  "dry-run": { type: "boolean" },
  keep: { type: "boolean" },
  serve: { type: "boolean" },
  json: { type: "string" },
  html: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const HELP = `Usage: npm start -- [options]

Patches a fleet of sandbox hosts with the synthesised stack, unchanged: no AWS account, real apt and dpkg.

  --scenario NAME      the story that is told                                      (usual)
${SCENARIOS.map(({ name, about }) => `                         ${name}: ${about}`).join("\n")}
  --hosts N            hosts in the fleet, 1 to ${MOST_HOSTS}; the first is the canary       (5)
  --packages WHICH     debian: what Debian's security archive holds; sample: a small
                       signed repository made on the spot; both                     (both)
  --dry-run            the same states and steps; nothing on a host changes
  --json FILE          writes the report for programs
  --html FILE          writes the report as one page for people
  --keep               keeps the run's folder: hosts, logs, the stack's bucket
  --serve              keeps the endpoints up after the run and says how to ask them
  -h, --help           this text

Exit codes: 0 the run ended as it should; 2 wrong usage; 3 wrong configuration; 4 this machine lacks something;
20 a host is not what its report says, or the run did not end as it should; 130 interrupted.
`;

/**
 * Reads the command line.
 * @returns null when only help was asked for
 * @throws UsageError
 */
export function parseOptions(args: readonly string[]): Options | null {
  const { values, tokens } = parseArgs({
    args: [...args],
    options: FLAGS,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  for (const token of tokens) {
    if (token.kind === "positional")
      throw new UsageError(`${token.value}: no argument is expected; options begin with --`);
    if (token.kind !== "option") continue;
    if (!Object.hasOwn(FLAGS, token.name)) {
      throw new UsageError(
        `${token.rawName}: no such option; ${nearest(
          token.rawName,
          Object.keys(FLAGS).map((f) => `--${f}`),
        )}`,
      );
    }
    const takesValue = FLAGS[token.name as keyof typeof FLAGS].type === "string";
    if (takesValue && !token.value) throw new UsageError(`${token.rawName}: needs a value; see npm start -- --help`);
    if (!takesValue && token.value !== undefined)
      throw new UsageError(`${token.rawName}: takes no value, not ${token.value}`);
  }
  if (values.help === true) return null;
  const text = (name: "scenario" | "hosts" | "packages" | "json" | "html") => values[name] as string | undefined;
  const scenario = scenarioNamed(text("scenario") ?? usual.name);
  const preset = scenario.options ?? {};
  const packages = packageSet(text("packages") ?? preset.packages ?? "both");
  if (scenario.needsSample === true && packages === "debian")
    throw new UsageError(
      `--packages debian: the scenario ${scenario.name} changes the sample repository; leave it out, or sample or both`,
    );
  return {
    scenario,
    hosts: hostCount(text("hosts") ?? String(preset.hosts ?? 5)),
    packages,
    dryRun: values["dry-run"] === true || preset.dryRun === true,
    keep: values.keep === true,
    serve: values.serve === true,
    json: text("json") ?? null,
    html: text("html") ?? null,
  };
}

function scenarioNamed(text: string): Scenario {
  const found = SCENARIOS.find(({ name }) => name === text);
  if (found !== undefined) return found;
  const names = SCENARIOS.map(({ name }) => name);
  throw new UsageError(`--scenario ${text}: one of ${names.join(", ")}; ${nearest(text, names)}`);
}

function hostCount(text: string): number {
  const hosts = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (hosts >= 1 && hosts <= MOST_HOSTS) return hosts;
  throw new UsageError(
    `--hosts ${text}: a whole number from 1 to ${MOST_HOSTS}; each host is a real root file system on this machine`,
  );
}

function packageSet(text: string): PackageSet {
  const found = PACKAGE_SETS.find((set) => set === text);
  if (found !== undefined) return found;
  throw new UsageError(`--packages ${text}: one of ${PACKAGE_SETS.join(", ")}; ${nearest(text, PACKAGE_SETS)}`);
}
