import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Exec, ExecOptions } from "../host/exec.ts";

/** Runs a tool of the build. @throws Error naming the command that failed and its last words */
export async function must(
  run: Exec,
  file: string,
  args: readonly string[],
  options: Partial<ExecOptions> = {},
): Promise<string> {
  const result = await run(file, args, { deadlineMs: 120_000, ...options });
  if (result.exitCode === 0) return result.stdout;
  const words = (result.stderr || result.stdout).trim().slice(-600);
  throw new Error(`${file} ${args.join(" ")}: exit ${result.exitCode ?? result.signal}: ${words}`);
}

export function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
