import { DECISION_KEYS } from "../../contract/decisions.ts";
import type { FleetSettings } from "../../contract/environment.ts";
import type { Snapshot, Wave } from "../../contract/run.ts";
import type { Phase } from "../../contract/steps.ts";
import { Alarms } from "../aws/alarms.ts";
import { ChangeCalendars } from "../aws/change-calendars.ts";
import { Decisions } from "../aws/decisions.ts";
import type { RunStore } from "../aws/run-store.ts";
import { estimateSeconds } from "../fleet/estimate.ts";
import type { Asked, GateFacts } from "../fleet/gate.ts";
import { collectionsOf } from "./run-data.ts";

const alarms = new Alarms();
const calendars = new ChangeCalendars();

/** Asks everybody who may have something against it. Whoever cannot be asked is told as such: the gate decides what that means. */
export async function gateFacts(
  {
    store,
    snapshot,
    settings,
  }: { readonly store: RunStore; readonly snapshot: Snapshot; readonly settings: FleetSettings },
  wave: Wave,
  phase: Phase,
): Promise<GateFacts> {
  const decisions = new Decisions(settings.decisionsBucket);
  const { gates } = settings;
  const [stops, freezes, calendar, states] = await Promise.all([
    ask(() => decisions.under(DECISION_KEYS.stops(snapshot.runId))),
    ask(() => decisions.under(DECISION_KEYS.freezes(snapshot.fleet))),
    ask(() => calendars.state(gates.calendars)),
    ask(() => alarms.states(gates.alarms)),
  ]);
  const told = { stops, freezes, calendar, alarms: states };
  if (snapshot.windowEndsAt === undefined) return { ...told, windowEndsAt: null, neededSeconds: 0 };
  const seen = await collectionsOf(store, snapshot.runId, [...Array(wave.index + 1).keys()]);
  // What the hosts say after the bake may take them back: that belongs to the wave. The last one has none.
  const bakeSeconds = wave.index === snapshot.waves.length - 1 ? 0 : snapshot.wavePolicy.bakeSeconds;
  const seconds = estimateSeconds(phase === "prepare" ? ["prepare", "apply"] : ["apply"], wave, seen, {
    waveMinutes: gates.waveMinutes,
    maxConcurrency: settings.sending.maxConcurrency,
    batchesAtOnce: settings.batchesAtOnce,
  });
  return { ...told, windowEndsAt: new Date(snapshot.windowEndsAt), neededSeconds: seconds + bakeSeconds };
}

async function ask<T>(question: () => Promise<T>): Promise<Asked<T>> {
  try {
    return { answer: await question() };
  } catch (error) {
    return { unasked: error instanceof Error ? `${error.name}: ${error.message.split("\n")[0]}` : String(error) };
  }
}
