import type { Tree } from "../../host/tree.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

/** Units that an administrator, or somebody else, wrote. */
export const unitFiles: Checker = {
  id: "unitFiles",
  title: "Units that no package brought",
  comprehensive: true,
  run: async ({ facts }) => judgeUnitFiles(await facts.systemTree(), facts.owned()),
};

/** Pure. Links are how units are enabled: they are not units themselves. */
export function judgeUnitFiles(tree: Tree, owned: ReadonlySet<string>): Looked {
  const found = [...tree.paths].filter(([path, stat]) => stat.type === "file" && UNIT.test(path) && !owned.has(path));
  return looked(
    draft(
      "unitsNotPackaged",
      "low",
      (n) => `${count(n, "unit")} or drop-in came from no package`,
      found.map(([path]) => path),
      "systemctl cat UNIT shows it; nothing, when it is yours",
    ),
  );
}

const UNIT =
  /^\/(etc|usr\/lib|usr\/local\/lib|lib)\/systemd\/(system|user)\/.*\.(service|timer|socket|path|mount|conf)$/;
