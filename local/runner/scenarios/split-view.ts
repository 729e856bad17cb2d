import { METRICS } from "../../../contract/names.ts";
import type { RunReport } from "../../../contract/run.ts";
import { TAMPERED } from "../../hosts/sample/packages.ts";
import type { Scenario } from "../scenario.ts";
import { plainHosts } from "./plain-hosts.ts";
import { STORY_WAVES } from "./usual.ts";

const VICTIM = "web-02";
const MIRROR = "near-web-02";

/**
 * One host's mirror shows it other bytes than everybody else's, under the same version and with a good signature. The host alone could not
 * know; what its canary proved says it.
 */
export const splitView: Scenario = {
  name: "split-view",
  about: "one host's mirror signs it other bytes than all others: it refuses, the run stops, the alarm is raised",
  options: { hosts: 3, packages: "sample" },
  needsSample: true,
  hosts: (options) =>
    plainHosts(options, "unchanged").map((host) => (host.name === VICTIM ? { ...host, mirror: MIRROR } : host)),
  outcome: () => "stopped",
  play: async ({ start, publish, tell, metricSum, hostLog }) => {
    const run = start({ waves: { ...STORY_WAVES, bakeSeconds: 5 } });
    await run.entered("Bake");
    await publish(TAMPERED, MIRROR);
    tell(`the mirror of ${VICTIM} now holds webapp 2.0-1 with a file that nobody else is given, properly signed`);
    const report = await run.ended;
    const raised = await metricSum(METRICS.security, METRICS.securityViolations);
    tell(`the metric of the alarm SecurityViolation stands at ${raised}`);
    const marked = hostLog(VICTIM).includes("SÉCURITÉ COMPROMISE: splitView");
    return {
      runs: [report],
      problems: [
        ...problemsOf(report),
        ...(marked ? [] : [`the log of ${VICTIM} does not say SÉCURITÉ COMPROMISE: splitView`]),
        ...(raised > 0 ? [] : ["no alarm was raised"]),
      ],
    };
  },
};

function problemsOf({ hosts, waves }: RunReport): string[] {
  const victim = hosts.find(({ name }) => name === VICTIM);
  const stopped = waves.flatMap(({ verdicts }) => verdicts).find(({ violation }) => violation === true);
  return [
    ...(victim?.failure?.code === "splitView"
      ? []
      : [`${VICTIM} fails with ${victim?.failure?.code ?? "nothing"}, not with splitView`]),
    ...(stopped === undefined ? ["no verdict says that somebody may be tampering"] : []),
  ];
}
