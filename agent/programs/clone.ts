import * as z from "zod";
import { EXIT } from "../../contract/failures.ts";
import { WayBackTask, wayBackHere } from "../backup/way-back.ts";
import { lstatOrNull } from "../host/files.ts";
import { localMachine, requireRoot } from "../host/local-machine.ts";
import type { Machine } from "../host/machine.ts";
import { ChangeTask, changeHere } from "../patch/rehearsal-change.ts";
import { TestsTask, testsHere } from "../patch/rehearsal-tests.ts";
import type { Declaration } from "./declaration.ts";
import { readFlags, Usage } from "./program.ts";
import { stepContext } from "./step-context.ts";

export const declaration = {
  name: "autopatch clone",
  summary: "what the agent asks of itself in a clone of the host",
  about: "Refused anywhere but in a clone that the agent made.",
  usage: ["--task JSON"],
  flags: { task: { type: "string", value: "JSON", meaning: "what is to be tried there" } },
  exits: [],
} as const satisfies Declaration;

const Task = z.discriminatedUnion("kind", [ChangeTask, TestsTask, WayBackTask]);

/** In a clone, and nowhere else, this program lies there. */
const IN_CLONE = "/run/autopatch/agent";

export async function run(args: readonly string[]): Promise<number> {
  const { flags } = readFlags(declaration.name, declaration.flags, args);
  requireRoot();
  if (lstatOrNull(IN_CLONE) === null || process.execPath !== IN_CLONE)
    throw new Usage("autopatch clone: works only in a clone that the agent itself made; see install.sh --rehearse");
  const task = Task.parse(JSON.parse(flags.task ?? "null"));
  const answer = await carryOut(localMachine("clone", { AUTOPATCH_LOG_LEVEL: "info" }), task);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  return EXIT.ok;
}

/** The host itself has checked the lock that is tried here. */
const CHECKED = { name: null, keyFile: "", required: false };

async function carryOut(machine: Machine, task: z.infer<typeof Task>): Promise<object> {
  switch (task.kind) {
    case "change":
      return await changeHere(
        stepContext(machine, { ...task, dryRun: false, fleet: CHECKED }).context,
        task.deadlineMs,
      );
    case "tests":
      return await testsHere(machine, task.names);
    case "wayBack":
      return await wayBackHere(machine, task);
  }
}
