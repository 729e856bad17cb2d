import { writeLock } from "../../agent/patch/lock-file.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { type Fingerprint, takeFingerprint } from "../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../local/hosts/fingerprint-comparison.ts";
import { sequence } from "../../local/simulate/random.ts";
import type { AgentHost, Answer, Bench } from "../agent/bench.ts";
import { lockUpgrade, outside } from "../agent/patch/adversary.ts";
import { judge, type State } from "./judge.ts";
import { PHASES, type Phase, planRound, type RoundPlan } from "./plan.ts";
import { processes, strike } from "./strike.ts";
import { upgradePairs } from "./upgrade.ts";

export interface Round extends RoundPlan {
  readonly number: number;
  /** Milliseconds into the phase. */
  readonly atMs: number;
  /** What died. */
  readonly died: readonly string[];
  /** What the struck step still answered, or "nothing". */
  readonly answered: string;
  readonly recovered: string;
  readonly state: State;
  /** Empty when all is well; else every way in which it is not. */
  readonly wrong: readonly string[];
}

/** A host with an upgrade of twelve packages before it, and what it looks like at either end. */
export interface CrashHost {
  round(seed: number, number: number): Promise<Round>;
}

/** Sets the host up and goes through all phases undisturbed, to learn both ends and how long each phase takes. */
export async function openCrashHost(bench: Bench): Promise<CrashHost> {
  const host = await bench.host();
  const entries = await lockUpgrade(host, upgradePairs());
  const lock = { release: "bookworm", architecture: "amd64", entries, removals: [] };
  const prepare = (runId: string) => writeLock(outside(host), runId, false, lock);

  prepare("undisturbed");
  const old = await takeFingerprint(host.sandbox);
  const took = {} as Record<Phase, number>;
  let now: Fingerprint | undefined;
  for (const phase of PHASES) {
    await undisturbed(host, phase, "undisturbed", took);
    if (phase === "install") now = await takeFingerprint(host.sandbox);
  }
  if (now === undefined) throw new Error("the upgrade was never installed");
  // The first backup stores everything, those of the rounds only what is new.
  prepare("learned");
  await undisturbed(host, "backup", "learned", took);
  const ends = { old, new: now };
  const left = compareFingerprints(old, await takeFingerprint(host.sandbox)).differences;
  if (left.length > 0) throw new Error(`the way back, undisturbed: ${JSON.stringify(left.slice(0, 5))}`);
  return {
    round: async (seed, number) => {
      const runId = `round-${number}`;
      prepare(runId);
      const plan = planRound(seed, number);
      const round = await playRound(host, { plan, number, runId, took, ends, choice: sequence(seed ^ number)() });
      // Backups of several rounds lie beside each other, as on a real host, but not of all.
      if (number % 10 === 0) await host.run("rm", "-rf", HOST_PATHS.backups);
      return round;
    },
  };
}

interface Played {
  readonly plan: RoundPlan;
  readonly number: number;
  readonly runId: string;
  readonly took: Record<Phase, number>;
  readonly ends: Readonly<Record<"old" | "new", Fingerprint>>;
  readonly choice: number;
}

async function playRound(host: AgentHost, { plan, number, runId, took, ends, choice }: Played): Promise<Round> {
  const { phase, blow, moment, recovery } = plan;
  for (const earlier of PHASES.slice(0, PHASES.indexOf(phase))) {
    await undisturbed(host, earlier, runId, took);
  }
  const wrong: string[] = [];
  const look = async () => judge(ends, await takeFingerprint(host.sandbox));

  let ended = false;
  const began = performance.now();
  const struck = host
    .step(phase, { runId })
    .catch((error: Error) => error)
    .finally(() => {
      ended = true;
    });
  await pause(moment * took[phase]);
  let died = await strike(host.sandbox, blow, choice);
  // Between two programs there is no child to strike: the next one is.
  for (; died.length === 0 && !ended; died = await strike(host.sandbox, blow, choice)) await pause(5);
  const atMs = Math.round(performance.now() - began);
  const first = await struck;
  if (!(first instanceof Error)) wrong.push(...contradictions(phase, first, (await look()).state));

  const step = recovery === "again" ? phase : recovery;
  const second = await host.step(step, recovery === "preflight" ? { runId: `${runId}-next` } : { runId });
  const { state, differences } = await look();
  wrong.push(...differences, ...contradictions(step, second, state), ...(await leftBehind(host)));
  if (state === "new") {
    await undisturbed(host, "rollback", runId, took);
    const back = await look();
    if (back.state !== "old") wrong.push("the way back from new said it succeeded", ...back.differences);
  }
  const answered = first instanceof Error ? "nothing" : words(first);
  return { ...plan, number, atMs, died, answered, recovered: `${step}: ${words(second)}`, state, wrong };
}

/** A phase that nothing strikes; remembers the shortest time it took, since a blow after its end strikes nothing. */
async function undisturbed(host: AgentHost, phase: Phase, runId: string, took: Record<Phase, number>): Promise<void> {
  const begun = performance.now();
  const { result } = await host.step(phase, { runId });
  took[phase] = Math.min(took[phase] ?? Number.POSITIVE_INFINITY, performance.now() - begun);
  if (result.outcome !== "succeeded") throw new Error(`${phase} of ${runId}, undisturbed: ${JSON.stringify(result)}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What an answer promises of the host, and what the host is. */
function contradictions(step: string, { result }: Answer, state: State): string[] {
  const through = result.outcome === "succeeded" || result.outcome === "rebootRequired";
  const says = (promised: State) =>
    state === promised ? [] : [`${step} says ${words({ result })}, the host is ${state}`];
  if (step === "install" && through) return says("new");
  if (step === "install" && result.outcome === "failed" && result.rolledBack) return says("old");
  if (step === "backup" && through) return says("old");
  if (step === "rollback" && (through || result.outcome === "nothingToDo")) return says("old");
  if (step === "preflight" && (through || result.outcome === "nothingToDo")) return says("old");
  return [];
}

async function leftBehind(host: AgentHost): Promise<string[]> {
  const { state } = JSON.parse(host.read(`${HOST_PATHS.state}/transaction.json`)) as { state: string };
  const alive = processes(host.sandbox).map((p) => p.command);
  const top = await host.run("ls", "-A", "/");
  return [
    ...(state === "applying" || state === "rollingBack" ? [`the journal is left in state ${state}`] : []),
    ...(alive.length > 0 ? [`left running: ${alive.join("; ")}`] : []),
    ...(top.stdout.includes(".autopatch-restore") ? ["/.autopatch-restore is left"] : []),
  ];
}

function words({ result }: Pick<Answer, "result">): string {
  if (result.outcome !== "failed") return result.outcome;
  return `failed ${result.code}${result.rolledBack ? ", rolled back" : ""}`;
}
