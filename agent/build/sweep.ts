import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const KEPT = 4;
const ABANDONED_MS = 3_600_000;

/** Keeps the newest four of each kind of thing in a cache folder, and removes what a killed build left. */
export function sweep(cacheDir: string, prefixes: readonly string[]): void {
  const found = readdirSync(cacheDir).flatMap((name) => {
    const stat = statSync(join(cacheDir, name), { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ name, time: stat.mtimeMs }];
  });
  const old = prefixes.flatMap((prefix) =>
    found
      .filter(({ name }) => name.startsWith(prefix))
      .sort((a, b) => b.time - a.time)
      .slice(KEPT),
  );
  const abandoned = found.filter(
    ({ name, time }) => /^(building|fetching)-/.test(name) && time < Date.now() - ABANDONED_MS,
  );
  for (const { name } of [...old, ...abandoned]) rmSync(join(cacheDir, name), { recursive: true, force: true });
}
