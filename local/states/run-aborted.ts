import { type Branch, note } from "./run.ts";

/** Records that a sibling's failure stopped what `inner` was in the middle of; states that end at once leave no trace. */
export function noteAborted(outer: Branch, inner: Branch): void {
  switch (inner.current?.type) {
    case "Task":
    case "Wait":
    case "Map":
    case "Parallel":
      note(outer, `${inner.current.type}StateAborted`, undefined, true);
  }
}
