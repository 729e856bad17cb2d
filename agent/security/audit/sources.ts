import { insecureAptSettings } from "../../host/apt-settings.ts";
import { type AptSource, readAptSources } from "../../host/apt-sources.ts";
import { type Checker, count, draft, type Looked, looked } from "./checker.ts";

/** Sources of packages that are held to less than a signature by a key of their own. */
export const sources: Checker = {
  id: "sources",
  title: "Package sources and apt's own guards",
  run: async ({ machine }) => judgeSources(readAptSources(machine), await insecureAptSettings(machine)),
};

/** Pure. @param settings lines of apt's configuration that switch a guard off */
export function judgeSources(all: readonly AptSource[], settings: readonly string[]): Looked {
  const unsigned = all.filter((one) => one.weakened.some((name) => UNSIGNED.has(name)));
  const undated = all.filter((one) => one.weakened.some((name) => !UNSIGNED.has(name)));
  const plain = all.filter((one) => /^http:/i.test(one.uri) && one.signedBy === null);
  return looked(
    draft(
      "unsignedSources",
      "high",
      (n) => `${count(n, "package source")} may be used without a valid signature`,
      unsigned.map(line),
      "Take the option out of the named file and name the repository's key with Signed-By",
    ),
    draft(
      "undatedSources",
      "medium",
      (n) => `${count(n, "package source")} may serve old or weakly signed lists`,
      undated.map(line),
      "Take the option out of the named file",
    ),
    draft(
      "aptGuardsOff",
      settings.every((line) => /check-valid-until/i.test(line)) ? "medium" : "high",
      (n) => `apt's configuration switches ${count(n, "guard")} off`,
      settings,
      "apt-config dump shows it, grep -r NAME /etc/apt/apt.conf.d its file: take it out there",
    ),
    draft(
      "sourcesWithoutOwnKey",
      "low",
      (n) => `${count(n, "source")} over plain HTTP may be signed by any key of the host`,
      plain.map(line),
      "Name the repository's key in the source: signed-by=/usr/share/keyrings/….gpg",
    ),
  );
}

const UNSIGNED: ReadonlySet<string> = new Set(["trusted", "allow-insecure", "allow-downgrade-to-insecure"]);

function line({ file, uri, suite, weakened }: AptSource): string {
  return `${file}: ${uri} ${suite}${weakened.length === 0 ? "" : ` [${weakened.join(" ")}]`}`;
}
