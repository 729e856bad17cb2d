import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const UNITS = fileURLToPath(new URL("../units/", import.meta.url));

/**
 * The systemd units, by name.
 * @param folder @default agent/units
 */
export function unitFiles(folder = UNITS): { readonly name: string; readonly text: string }[] {
  return readdirSync(folder)
    .sort()
    .map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));
}

/** Units that work as soon as the agent is installed; the others are for `manage-daemon` to enable. */
export const ENABLED = ["autopatch-watchdog.timer", "autopatch-recover.service"];
