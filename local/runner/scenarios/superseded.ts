import { KEYS } from "../../../contract/names.ts";
import type { RunReport } from "../../../contract/run.ts";
import { LATEST, NEW, SUPERSEDED } from "../../hosts/sample/packages.ts";
import type { Scenario } from "../scenario.ts";
import { plainHosts } from "./plain-hosts.ts";
import { STORY_WAVES } from "./usual.ts";

/** The archive moves on while a canary bakes: nobody gets the latest, everybody gets what the canary proved, from the fleet's pool. */
export const superseded: Scenario = {
  name: "superseded",
  about: "the archive moves on while the canary bakes: later hosts get what it proved, from the pool",
  options: { hosts: 3, packages: "sample" },
  needsSample: true,
  hosts: (options) => plainHosts(options, "committed"),
  outcome: () => "succeeded",
  play: async ({ start, publish, tell, keys, hostLog, cloud }) => {
    const run = start({ waves: { ...STORY_WAVES, bakeSeconds: 5 } });
    await run.entered("Bake");
    await publish(SUPERSEDED);
    tell(`the archive moves on: every package is ${LATEST} there now, and no ${NEW} is to be had`);
    const report = await run.ended;
    const pooled = await keys(cloud.deployment.outputs.BucketName ?? "", KEYS.pool("").replace(/[^/]*$/, ""));
    tell(
      `no mirror had them any more: later hosts took the ${pooled.length} packages that the canary had fetched from the pool`,
    );
    const unsaid = report.hosts
      .slice(1)
      .filter(({ name }) => !hostLog(name).includes(`webapp ${NEW}: from the fleet's pool`))
      .map(({ name }) => `the log of ${name} does not say that webapp came from the pool`);
    return { runs: [report], problems: [...problemsOf(report, pooled.length), ...unsaid] };
  },
};

/** That the hosts have what the report says is looked at from outside. What no archive holds, they can only have from the pool. */
function problemsOf({ hosts }: RunReport, pooled: number): string[] {
  const [canary, ...later] = hosts.map(({ name, packages }) => ({
    name,
    got: packages.map((one) => `${one.name} ${one.to ?? "removed"}`).sort(),
  }));
  const proven = canary?.got ?? [];
  return [
    ...(pooled === proven.filter((one) => one.endsWith(` ${NEW}`)).length && pooled > 0
      ? []
      : [`the pool holds ${pooled} packages, the canary got ${proven.join(", ") || "nothing"}`]),
    ...later.flatMap(({ name, got }) =>
      got.join() === proven.join()
        ? []
        : [`${name} got ${got.join(", ") || "nothing"}, the canary ${proven.join(", ")}`],
    ),
  ];
}
