import type { StepName } from "../../contract/steps.ts";
import type { Step } from "../patch/step.ts";

/** Each step's code, loaded only when it is the one that was asked for. */
export const STEP_CODE: { readonly [S in StepName]: () => Promise<Step<S>> } = {
  preflight: async () => (await import("../patch/preflight.ts")).preflight,
  download: async () => (await import("../patch/download.ts")).download,
  verify: async () => (await import("../patch/verify.ts")).verify,
  rehearse: async () => (await import("../patch/rehearse.ts")).rehearse,
  backup: async () => (await import("../patch/backup.ts")).backup,
  install: async () => (await import("../patch/install.ts")).install,
  reboot: async () => (await import("../patch/reboot.ts")).reboot,
  validate: async () => (await import("../patch/validate.ts")).validate,
  commit: async () => (await import("../patch/commit.ts")).commit,
  check: async () => (await import("../patch/check.ts")).check,
  rollback: async () => (await import("../patch/rollback.ts")).rollback,
  upload: async () => (await import("../patch/upload.ts")).upload,
};
