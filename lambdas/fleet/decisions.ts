import { type Decision, DecisionText } from "../../contract/decisions.ts";

/**
 * A decision from its object. Pure. Who wrote it is the last part of the key, which the bucket's policy holds to the writer's own
 * `aws:userid`. A text that is no JSON is a reason: `echo "incident 4711" | aws s3 cp - …` freezes too.
 * @returns undefined for a key that cannot be a decision's
 */
export function readDecision(object: {
  readonly key: string;
  readonly at: Date;
  readonly text: string;
}): Decision | undefined {
  const by = /\/([^/]+)\.json$/.exec(object.key)?.[1];
  if (by === undefined) return undefined;
  const parsed = DecisionText.safeParse(jsonOf(object.text));
  const { decision = null, reason } = parsed.success ? parsed.data : { reason: object.text.trim().slice(0, 1_000) };
  return { by, at: object.at.toISOString(), decision, reason };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
