import { EXIT } from "../contract/failures.ts";
import { killRunning } from "./host/exec.ts";
import { chooseProgram, PROGRAMS, type ProgramName } from "./programs/choose.ts";
import { describeError, type Program } from "./programs/program.ts";
import { AGENT_VERSION } from "./version.ts";

/** Each program is loaded only when it is called: start-up time is what is loaded. */
const LOAD: Record<ProgramName, () => Promise<Program>> = {
  step: () => import("./programs/step.ts"),
  manager: () => import("./programs/manager.ts"),
  download: () => import("./programs/download.ts"),
  install: () => import("./programs/install.ts"),
  rollback: () => import("./programs/rollback.ts"),
  clone: () => import("./programs/clone.ts"),
};

const HELP = `autopatch PROGRAM …

Programs: ${PROGRAMS.join(", ")}. autopatch PROGRAM --help tells more; autopatch --version tells the version.
`;

async function main(): Promise<number> {
  try {
    const choice = chooseProgram(process.argv0, process.argv.slice(2));
    if (choice.kind === "version") return say(`autopatch ${AGENT_VERSION}\n`);
    if (choice.kind === "help") return say(HELP);
    const program = await LOAD[choice.name]();
    if (choice.args.includes("--help") || choice.args.includes("-h")) return say(program.help);
    return await program.run(choice.args);
  } catch (error) {
    const { text, exit } = describeError(error);
    process.stderr.write(`${text}\n`);
    return exit;
  }
}

function say(text: string): number {
  process.stdout.write(text);
  return EXIT.ok;
}

// A change that this cuts short is undone by the next start; a child that lived on without its deadline would not be.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    killRunning();
    process.stderr.write(`autopatch: stopped by ${signal}\n`);
    process.exit(EXIT.interrupted);
  });
}

main().then((exit) => process.exit(exit));
