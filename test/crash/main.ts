import { parseArgs } from "node:util";
import { openBench } from "../agent/bench.ts";
import { provideForTests } from "../provide.ts";
import { openCrashHost, type Round } from "./rounds.ts";

/** `npm run crash -- --rounds N [--seed S] [--only K]`: kills the agent at random moments and looks at what becomes of the host. */
const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
  },
});

function whole(name: string, text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new Error(`--${name} ${text}: a whole number from 1 to 9999999`);
}

const seed = whole("seed", values.seed);
const count = whole("rounds", values.rounds);
const only = values.only === undefined ? [] : [whole("only", values.only)];
const numbers = only.length > 0 ? only : Array.from({ length: count }, (_, i) => i + 1);

await provideForTests();
const bench = await openBench();
const rounds: Round[] = [];
try {
  const host = await openCrashHost(bench);
  for (const number of numbers) {
    const round = await host.round(seed, number);
    rounds.push(round);
    console.log(line(round));
    for (const wrong of round.wrong) console.log(`      WRONG ${wrong}`);
    // A host that is at neither end is no start for another round.
    if (round.wrong.length > 0) break;
  }
} finally {
  await bench.close();
}
const bad = rounds.filter((round) => round.wrong.length > 0).length;
const at = (state: Round["state"]) => rounds.filter((round) => round.state === state).length;
const claims = `${at("old")} exactly old, ${at("new")} exactly new, ${at("neither")} neither`;
const struck = rounds.filter((round) => round.died.length > 0).length;
console.log(
  `seed ${seed}: ${rounds.length} of ${numbers.length} rounds, ${struck} struck a living process, ${claims}; ${bad} wrong`,
);
process.exitCode = bad > 0 || rounds.length < numbers.length ? 1 : 0;

function line({ number, phase, blow, atMs, died, answered, recovered, state }: Round): string {
  const names = died.length > 4 ? `${died.slice(0, 4).join(" ")} +${died.length - 4}` : died.join(" ");
  const what = `${phase} at ${atMs} ms, ${blow} (${names || "nothing there"})`;
  return `${String(number).padStart(4)}  ${what}; answered ${answered}; then ${recovered}: ${state}`;
}
