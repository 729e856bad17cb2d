import { DECISION_KEYS } from "../../../contract/decisions.ts";
import { KEYS } from "../../../contract/names.ts";
import type { Play, Scenario } from "../scenario.ts";
import { plainHosts } from "./plain-hosts.ts";
import { STORY_WAVES } from "./usual.ts";

/** In prod nothing is changed before somebody has approved it, and nobody can do so under another's name. */
export const approval: Scenario = {
  name: "approval",
  about: "in prod a plan waits for a person; what plans no more is not asked about again",
  options: { hosts: 3, packages: "sample" },
  config: { environment: "prod" },
  hosts: (options) => plainHosts(options, "committed"),
  outcome: () => "succeeded",
  play: async (play) => {
    const { tell, cloud, start, put } = play;
    const run = start({ waves: { ...STORY_WAVES, errorBudget: 0 } });
    await run.entered("Approval");
    const digest = await digestOf(play, run.runId);
    const bucket = cloud.deployment.outputs.DecisionsBucketName ?? "";
    const prefix = DECISION_KEYS.approvals(run.runId, digest);
    const word = { decision: "approve", reason: "read and understood" };
    const forged = await put(bucket, `${prefix}AROASOMEBODY:else.json`, word).then(
      () => "was taken",
      (error: Error) => error.name,
    );
    tell(`approves under another's name: ${forged}`);
    await put(bucket, `${prefix}${cloud.operator.userId}.json`, word);
    tell(`approves plan ${digest.slice(0, 12)}… as ${cloud.operator.userId}`);
    const report = await run.ended;
    const said = (report.approvals ?? []).map((end) => `${end.verdict} by ${end.decisions.map(({ by }) => by).join()}`);
    const expected = `approved by ${cloud.operator.userId}`;
    return {
      runs: [report],
      problems: [
        ...(forged === "AccessDenied" ? [] : [`an approval under another's name ${forged}`]),
        ...(said.join("; ") === expected ? [] : [`the report says of approvals: ${said.join("; ")}; not: ${expected}`]),
      ],
    };
  },
};

/** The request is written before the state that waits for its answer is entered. */
async function digestOf({ cloud, keys }: Play, runId: string): Promise<string> {
  const [key = ""] = await keys(cloud.deployment.outputs.BucketName ?? "", KEYS.approvals(runId));
  return key.split("/").at(-2) ?? "";
}
