import type { MaintainerScript } from "../../local/hosts/sample/package.ts";
import { adversary, type Pair } from "../agent/patch/adversary.ts";

const COUNT = 12;

/**
 * An upgrade that takes dpkg through all of its phases: files that come, go and become folders and links, conffiles, state migrated
 * by scripts, users, alternatives, diversions, dependencies that make an order.
 */
export function upgradePairs(): Pair[] {
  return Array.from({ length: COUNT }, (_, i) => {
    const name = `crash-${String(i + 1).padStart(2, "0")}`;
    const { old, next } = adversary(scripts(name, i), name);
    const fields = i === 0 ? {} : { fields: { Depends: `crash-${String(i).padStart(2, "0")}` } };
    const many = (version: string) =>
      Array.from({ length: 40 }, (_, n) => ({
        path: `/usr/share/${name}/${n % 7}/file-${n}-${n % 3 === 0 ? version : "both"}`,
        content: `${name} ${version} ${n}\n`.repeat(200),
      }));
    const turned = `/usr/share/${name}/turned`;
    return {
      old: { ...old, ...fields, files: [...old.files, ...many("1"), { path: turned, content: "a file\n" }] },
      next: { ...next, ...fields, files: [...next.files, ...many("2"), { path: `${turned}-away`, link: "turned" }] },
    };
  });
}

function scripts(name: string, i: number): Partial<Record<MaintainerScript, string>> {
  const extra = [
    `id ${name} >/dev/null 2>&1 || useradd --system ${name}`,
    `update-alternatives --install /usr/bin/${name} ${name} /usr/lib/${name}/program 10`,
    `dpkg-divert --package ${name} --add --rename --divert /usr/bin/${name}.distrib /usr/bin/${name}`,
    `rm -f /etc/${name}.d && ln -s /usr/lib/${name} /etc/${name}.d`,
  ][i % 4];
  return {
    preinst: `#!/bin/sh\nset -e\nsleep 0.02\necho preparing > /var/lib/${name}/phase\n`,
    postinst: `#!/bin/sh
set -e
sed -i s/format=1/format=2/ /var/lib/${name}/state
sleep 0.03
${extra}
echo ready > /var/lib/${name}/phase
`,
  };
}
