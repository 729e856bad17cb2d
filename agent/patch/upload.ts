import { Failure } from "../../contract/failures.ts";
import { backupIds } from "../backup/store.ts";
import type { Step } from "./step.ts";

const MOST_NAMED = 10;

/** Takes every backup off the host that is not in S3 yet. */
export const upload: Step<"upload"> = async ({ machine, cloud, dryRun, timed }) => {
  if (dryRun) {
    const message = `a dry run sends nothing; ${backupIds(machine).length} backups are on this host`;
    return { outcome: { outcome: "nothingToDo", message }, details: {} };
  }
  if (cloud === undefined)
    throw new Failure("storageFailed", "nobody says which Region this is: set AWS_REGION in autopatch.conf");
  const { uploadBackups } = await import("../host/backup-upload.ts");
  const { backups, sent, known, bytes } = await timed("upload", () => uploadBackups(machine, cloud));
  if (backups.length === 0)
    return { outcome: { outcome: "nothingToDo", message: "every backup of this host is in S3 already" }, details: {} };
  const data = { backups: backups.slice(-MOST_NAMED), sent, known, bytes };
  return { outcome: { outcome: "succeeded", data }, details: {} };
};
