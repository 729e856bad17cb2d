import { chmodSync, chownSync, copyFileSync, readdirSync, renameSync } from "node:fs";
import type { ConffileRule, PatchPolicy } from "../../contract/request.ts";
import { lstatOrNull, onMachine } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";

/** The package's version of a file, as dpkg and ucf lay it beside the administrator's. */
const BESIDE = /\.(dpkg|ucf)-dist$/;

/** What becomes of one configuration file that both the administrator and the package changed. Pure. */
export function conffileAction(path: string, policy: Pick<PatchPolicy, "conffiles" | "conffileRules">) {
  return policy.conffileRules?.find((rule) => matches(path, rule))?.action ?? policy.conffiles;
}

/**
 * How dpkg and ucf are told. They know only one answer for all files: where rules differ by path, the administrator's are kept at first,
 * and `replaceByRule` does the rest. Pure.
 */
export function conffileAnswer(policy: Pick<PatchPolicy, "conffiles" | "conffileRules">): "keep" | "replace" {
  return (policy.conffileRules ?? []).length > 0 ? "keep" : policy.conffiles;
}

/**
 * Puts the package's version in place where a rule says so, as dpkg would have: the administrator's lies beside it as `.dpkg-old`, owner
 * and mode stay his.
 * @param since when the change began, in milliseconds since 1970: what lay about before is somebody's own
 * @returns the files replaced
 */
export function replaceByRule(machine: Machine, policy: PatchPolicy, since: number): string[] {
  if ((policy.conffileRules ?? []).length === 0) return [];
  const replaced: string[] = [];
  for (const entry of readdirSync(onMachine(machine, "/etc"), { recursive: true, withFileTypes: true })) {
    const beside = `${entry.parentPath}/${entry.name}`;
    if (!entry.isFile() || !BESIDE.test(beside) || (lstatOrNull(beside)?.ctimeMs ?? 0) < since) continue;
    const full = beside.replace(BESIDE, "");
    const path = `/${full.slice(onMachine(machine, "/").length)}`.replace(/^\/+/, "/");
    const now = lstatOrNull(full);
    if (now === null || !now.isFile() || conffileAction(path, policy) !== "replace") continue;
    copyFileSync(full, `${full}.dpkg-old`);
    for (const [file, owner] of [
      [`${full}.dpkg-old`, now],
      [beside, now],
    ] as const) {
      chownSync(file, owner.uid, owner.gid);
      chmodSync(file, owner.mode & 0o7777);
    }
    renameSync(beside, full);
    machine.log.info(
      `${path}: the package's version is in place, as its rule says; the former one is ${path}.dpkg-old`,
    );
    replaced.push(path);
  }
  return replaced;
}

function matches(path: string, { path: glob }: ConffileRule): boolean {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(path);
}
