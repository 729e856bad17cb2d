import { afterAll, beforeAll, expect, test } from "vitest";
import { takeFingerprint } from "../../../local/hosts/fingerprint.ts";
import { compareFingerprints } from "../../../local/hosts/fingerprint-comparison.ts";
import { type Bench, openBench } from "../bench.ts";
import { adversary, lockUpgrade } from "./adversary.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

/** Asks at its standard input, as careless scripts do, and then through debconf, which starts it a second time for that. */
const ASKS = `#!/bin/sh
set -e
state=/var/lib/adversary/state
if [ -z "$DEBIAN_HAS_FRONTEND" ]; then
  if read answer; then echo "read=$answer" > $state; else echo read=nothing > $state; fi
fi
. /usr/share/debconf/confmodule
db_x_loadtemplatefile /usr/share/adversary/questions adversary
db_fset adversary/colour seen false
db_input critical adversary/colour || true
db_go || true
db_get adversary/colour
echo "colour=$RET" >> $state
`;
const QUESTIONS = "Template: adversary/colour\nType: string\nDefault: green\nDescription: Which colour?\n";

const RULES = [{ path: "/etc/adversary.*", action: "replace" as const }];

test.each([
  ["keep", undefined, "edited by an administrator\n", ".dpkg-dist"],
  ["replace", undefined, "version=2.0-1\n", ".dpkg-old"],
  // The rule is for this file alone: dpkg itself was told to keep.
  ["keep", RULES, "version=2.0-1\n", ".dpkg-old"],
] as const)(
  "an edited conffile and a debconf question, policy %s with rules %j: nobody is asked, and the original is back on rollback",
  async (conffiles, conffileRules, now, beside) => {
    const host = await bench.host({ sources: [] });
    const { old, next } = adversary({ postinst: ASKS });
    const files = [...next.files, { path: "/usr/share/adversary/questions", content: QUESTIONS }];
    await lockUpgrade(host, [{ old, next: { ...next, files } }]);
    host.write("/etc/adversary.conf", "edited by an administrator\n");
    await host.run("chmod", "0640", "/etc/adversary.conf");
    const before = await takeFingerprint(host.sandbox);
    const policy = {
      policy: { conffiles, ...(conffileRules === undefined ? {} : { conffileRules: [...conffileRules] }) },
    };
    expect((await host.step("backup", policy)).result.outcome).toBe("succeeded");

    const { result } = await host.step("install", policy);
    const conffile = host.read("/etc/adversary.conf");
    const other = await host.run("stat", "--format=%a %n", "/etc/adversary.conf", `/etc/adversary.conf${beside}`);
    const state = host.read("/var/lib/adversary/state");
    const back = await host.step("rollback", policy);

    expect(result, JSON.stringify(result)).toMatchObject({ outcome: "succeeded" });
    expect(conffile).toBe(now);
    expect(other.stdout).toContain("640 /etc/adversary.conf\n");
    expect(other.stdout).toContain(beside);
    expect(state).toBe("read=nothing\ncolour=green\n");
    expect(back.result).toMatchObject({ outcome: "succeeded", data: { identical: true } });
    expect(host.read("/etc/adversary.conf")).toBe("edited by an administrator\n");
    expect(compareFingerprints(before, await takeFingerprint(host.sandbox)).differences).toEqual([]);
  },
);
