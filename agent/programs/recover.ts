import type { Declaration } from "./declaration.ts";
import { lookProgram } from "./watch-once.ts";

export const declaration = {
  name: "autopatch recover",
  summary: "brings the host back from a change that was cut short",
  about:
    "Called by autopatch-recover.service at boot, before anything starts that could run on half-installed files. A change that a power loss cut short is undone; one on trial goes on, unless the host boots again and again.",
  usage: [""],
  flags: {},
  exits: ["rollback", "blocked"],
} as const satisfies Declaration;

export const run = lookProgram("recover", declaration);
