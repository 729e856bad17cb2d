import * as z from "zod";
import { RunId } from "./envelope.ts";

/** Who may work on a fleet, and until when. One object per fleet, written under a condition on its ETag. */
export const Lease = z.object({
  fleet: z.string(),
  runId: RunId,
  takenAt: z.iso.datetime(),
  /** From then on anybody may take it. In the past once its holder has let go. */
  until: z.iso.datetime(),
});
export type Lease = z.infer<typeof Lease>;
