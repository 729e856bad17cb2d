import { substitute, type Values } from "./parameters.ts";

/** Whether a step runs, is passed over, or counts as failed without having run; with the agent's message. */
export type StepDecision =
  | { readonly run: true }
  | { readonly run: false; readonly status: "Skipped" | "Failed"; readonly message: string };

/** Plugins that every agent knows and that do nothing on Linux. */
const KNOWN_ELSEWHERE = ["aws:psModule", "aws:applications", "aws:updateAgent", "aws:configureDaemon"];
const KNOWN_HERE = [
  "aws:runShellScript",
  "aws:runPowerShellScript",
  "aws:configurePackage",
  "aws:updateSsmAgent",
  "aws:softwareInventory",
  "aws:runDockerAction",
  "aws:configureDocker",
  "aws:refreshAssociation",
  "aws:downloadContent",
  "aws:runDocument",
  "aws:domainJoin",
  "aws:cloudWatch",
];

/**
 * Decides about a step of a 2.2 document from its precondition, given as written in the document.
 * @param platform platform type of the host in lower case: `linux`
 */
export function decideStep(
  step: {
    readonly name: string;
    readonly action: string;
    readonly precondition?: Readonly<Record<string, string[]>> | null | undefined;
  },
  values: Values,
  platform: string,
): StepDecision {
  const { name, action } = step;
  const conditions = Object.entries(step.precondition ?? {}).map(([operator, operands]) =>
    evaluate(operator, operands, values, platform),
  );
  const allowed = conditions.every((condition) => condition.allowed);
  const complaints = conditions.flatMap((condition) => condition.complaint ?? []);
  if (allowed && ![...KNOWN_HERE, ...KNOWN_ELSEWHERE].includes(action)) {
    return failed(
      `Plugin with name ${action} is not supported by this version of ssm agent, please update to latest version. Step name: ${name}`,
    );
  }
  if (!KNOWN_HERE.includes(action)) {
    return skipped(`Step execution skipped due to unsupported plugin: ${action}. Step name: ${name}`);
  }
  if (!allowed) {
    return skipped(
      `Step execution skipped due to unsatisfied preconditions: '${complaints.join(", ")}'. Step name: ${name}`,
    );
  }
  if (complaints.length > 0) {
    return failed(
      `Unrecognized precondition(s): '${complaints.join(", ")}', please update agent to latest version. Step name: ${name}`,
    );
  }
  return { run: true };
}

const skipped = (message: string): StepDecision => ({ run: false, status: "Skipped", message });
const failed = (message: string): StepDecision => ({ run: false, status: "Failed", message });

interface Condition {
  readonly allowed: boolean;
  /** Why it does not hold (not allowed) or cannot be judged (allowed). */
  readonly complaint?: string;
}

function evaluate(operator: string, operands: readonly string[], values: Values, platform: string): Condition {
  const cannotJudge = (why: string): Condition => ({ allowed: true, complaint: `"${operator}": ${why}` });
  if (operator !== "StringEquals") return { allowed: true, complaint: `unrecognized operator: "${operator}"` };
  const [left, right] = operands;
  if (left === undefined || right === undefined || operands.length !== 2) {
    return cannotJudge("operator accepts exactly 2 arguments");
  }
  const unsatisfied: Condition = { allowed: false, complaint: `"${operator}": [${left}, ${right}]` };
  if (left === right) {
    return cannotJudge(left === "platformType" ? `[${left} ${right}]` : "operator's arguments can't be identical");
  }
  for (const [pattern, what] of [
    [/\{\{ *ssm:[/\w.:-]+ *\}\}/, "SSM parameters"],
    [/\{\{ *ssm-secure:[/\w.:-]+ *\}\}/, "secure SSM parameters"],
  ] as const) {
    if (pattern.test(left) || pattern.test(right)) return cannotJudge(`operator's arguments can't contain ${what}`);
  }
  const resolved = operands.map((operand) => String(substitute(operand, values)));
  if (left === "platformType" || right === "platformType") {
    const at = left === "platformType" ? 1 : 0;
    const wanted = at === 1 ? right : left;
    if (wanted.toLowerCase() !== resolved[at]?.toLowerCase()) {
      return cannotJudge("the second argument for the platformType variable can't contain document parameters");
    }
    return wanted.toLowerCase() === platform ? { allowed: true } : unsatisfied;
  }
  if (resolved[0] === left && resolved[1] === right) {
    return cannotJudge("at least one of operator's arguments must contain a valid document parameter");
  }
  return resolved[0] === resolved[1] ? { allowed: true } : unsatisfied;
}
