import { readFileSync } from "node:fs";
import type { StepOutcome } from "../../contract/envelope.ts";
import { codeOf, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

type Reasons = Extract<StepOutcome, { outcome: "rebootRequired" }>["reasons"];

/** Why the host asks to be rebooted, one reason for each package that said so; empty when it does not. */
export function rebootReasons(machine: Pick<Machine, "root">): Reasons {
  const word = textOf(machine, "/run/reboot-required");
  if (word === null) return [];
  const packages = new Set(
    (textOf(machine, "/run/reboot-required.pkgs") ?? "").split("\n").filter((name) => name !== ""),
  );
  if (packages.size === 0) return [{ code: "rebootRequired", message: word.trim() || "a reboot is required" }];
  return [...packages].map((name) => ({ code: "rebootRequired", message: `${name} asks for a reboot` }));
}

function textOf(machine: Pick<Machine, "root">, path: string): string | null {
  try {
    return readFileSync(onMachine(machine, path), "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}
