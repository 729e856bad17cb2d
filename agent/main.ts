import { EXIT } from "../contract/failures.ts";
import { killRunning } from "./host/exec.ts";
import { chooseProgram, PROGRAMS } from "./programs/choose.ts";
import { helpText } from "./programs/declaration.ts";
import { declarations, LOAD } from "./programs/load.ts";
import { describeError } from "./programs/program.ts";
import { AGENT_VERSION } from "./version.ts";

async function main(): Promise<number> {
  try {
    const choice = chooseProgram(process.argv0, process.argv.slice(2));
    if (choice.kind === "version") return say(`autopatch ${AGENT_VERSION}\n`);
    if (choice.kind === "help") return say(await overview());
    const { declaration, run } = await LOAD[choice.name]();
    if (choice.args.includes("--help") || choice.args.includes("-h")) return say(helpText(declaration, choice.args[0]));
    return await run(choice.args);
  } catch (error) {
    const { text, exit } = describeError(error);
    process.stderr.write(`${text}\n`);
    return exit;
  }
}

async function overview(): Promise<string> {
  const all = await declarations();
  const rows = PROGRAMS.map((name, i) => `  ${name.padEnd(12)}${all[i]?.summary}\n`);
  return `Usage: autopatch PROGRAM [ARGUMENT]...\n\n${rows.join("")}\nautopatch PROGRAM --help tells more; autopatch --version tells the version.\n`;
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
