import * as z from "zod";
import { RunId } from "../../contract/envelope.ts";
import { asFailure, EXIT } from "../../contract/failures.ts";
import { PatchPolicy } from "../../contract/request.ts";
import { WayBackTask, wayBackHere } from "../backup/way-back.ts";
import { lstatOrNull } from "../host/files.ts";
import { localMachine, requireRoot } from "../host/local-machine.ts";
import { changeHere } from "../patch/rehearse.ts";
import { readFlags, Usage } from "./program.ts";
import { stepContext } from "./step-context.ts";

export const help = `autopatch clone --task JSON

What the agent asks of itself in a clone of the host; refused anywhere else.
`;

const Task = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("change"), runId: RunId, policy: PatchPolicy }),
  WayBackTask,
]);

/** In a clone, and nowhere else, this program lies there. */
const IN_CLONE = "/run/autopatch/agent";

export async function run(args: readonly string[]): Promise<number> {
  const { flags } = readFlags("autopatch clone", { task: { type: "string" } }, args);
  requireRoot();
  if (lstatOrNull(IN_CLONE) === null || process.execPath !== IN_CLONE)
    throw new Usage("autopatch clone: works only in a clone that the agent itself made; see install.sh --rehearse");
  const task = Task.parse(JSON.parse(flags.task ?? "null"));
  const machine = localMachine("clone", { AUTOPATCH_LOG_LEVEL: "info" });
  if (task.kind === "wayBack") return answer(await wayBackHere(machine, task));
  const { context } = stepContext(machine, { ...task, dryRun: false });
  return answer(
    await changeHere(context).catch((error) => {
      const { code, message } = asFailure(error);
      return { code, message };
    }),
  );
}

function answer(value: object): number {
  process.stdout.write(`${JSON.stringify(value)}\n`);
  return EXIT.ok;
}
