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
  play: async ({ start, publish, tell, keys, cloud }) => {
    const run = start({ waves: { ...STORY_WAVES, bakeSeconds: 5 } });
    await run.entered("Bake");
    await publish(SUPERSEDED);
    tell(`the archive moves on: every package is ${LATEST} there now, and no ${NEW} is to be had`);
    const report = await run.ended;
    const pooled = await keys(cloud.deployment.outputs.BucketName ?? "", KEYS.pool("").replace(/[^/]*$/, ""));
    tell(`the pool holds the ${pooled.length} packages that the canary fetched`);
    return { runs: [report], problems: problemsOf(report) };
  },
};

/** That the hosts have what the report says is looked at from outside. */
function problemsOf({ hosts }: RunReport): string[] {
  return hosts.flatMap(({ name, packages }) => {
    const other = packages.filter(({ to }) => to !== null && to !== NEW).map((one) => `${one.name} ${one.to}`);
    return other.length === 0 ? [] : [`${name} got ${other.join(", ")}, which no canary proved`];
  });
}
