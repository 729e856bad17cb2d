import { HOST_PATHS } from "../contract/names.ts";
import type { StepName } from "../contract/steps.ts";
import type { Row } from "./row.ts";
import type { Stage } from "./stage.ts";

const RUN = "bench-rehearsal";
/** Parts of the step, as its report names them. */
const PARTS = ["clone", "change", "configuration tests", "way back"] as const;

/** What happens before the window: the updates rehearsed in a clone, and the way back there, against apt alone. Shown, without an aim. */
export async function compareRehearsal(stage: Stage): Promise<Row[]> {
  const [ours, plain] = [await stage.host(), await stage.host()];
  for (const step of ["preflight", "download", "verify"] as const satisfies readonly StepName[])
    await ours.step(step, RUN);
  const rehearsed = await ours.step("rehearse", RUN);
  const { stdout } = await ours.run("cat", [`${HOST_PATHS.state}/runs/${RUN}/rehearse-1.json`]);
  const { timings } = JSON.parse(stdout) as { timings: { part: string; ms: number }[] };
  const upgraded = await plain.time("apt-get", ["-q", "-y", "dist-upgrade"]);
  const peer = { name: "apt-get dist-upgrade", value: upgraded };
  return [
    { what: "rehearsal, before the window", unit: "ms", ours: rehearsed, peer, aim: null },
    ...PARTS.map((part): Row => {
      const ms = timings.find((timing) => timing.part === part)?.ms ?? Number.NaN;
      return { what: `rehearsal: ${part}`, unit: "ms", ours: ms, peer: part === "change" ? peer : null, aim: null };
    }),
  ];
}
