import { median, type Row } from "./row.ts";
import type { Stage } from "./stage.ts";

const RUNS = 5;

/** The figures of the seed's `publish_autopatch_metrics`, each by its own pipeline. */
const FIGURES = `
dpkg -l | grep "^ii" | wc -l
find /var/tmp/autopatch_backups -name "backup_*" -type d | wc -l
df /var/tmp | tail -1 | awk '{print $5}' | sed 's/%//'
`;
/** What the seed's exporter asks beyond them. */
const EXPORTED = `${FIGURES}
stat -c %Y /var/log/autopatch/autopatch-manager.log
grep -c "SÉCURITÉ COMPROMISE" /var/log/autopatch/*.log
du -sb /var/tmp/autopatch* | awk '{sum+=$1} END {print sum+0}'
`;

/** What is asked every few minutes, against the seed's own shell lines for the same figures; ours tell more, the plan among it. */
export async function compareStatus(stage: Stage): Promise<Row[]> {
  const host = await stage.host();
  await host.run("install.sh", ["--backup", "--force"]);
  // The first call asks apt; what it said is kept while nothing changes.
  await host.run("autopatch-manager.sh", ["show-status"]);
  const measure = async (file: string, args: readonly string[]) => {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) times.push(await host.time(file, args));
    return median(times);
  };
  const seed = async (lines: string) => await measure("sh", ["-c", `{ ${lines} } > /dev/null 2>&1; true`]);
  return [
    {
      what: "show-status, nothing changed",
      unit: "ms",
      ours: await measure("autopatch-manager.sh", ["show-status", "--format=json"]),
      peer: { name: "the seed's three pipelines", value: await seed(FIGURES) },
      aim: null,
    },
    {
      what: "exporter",
      unit: "ms",
      ours: await measure("autopatch-prometheus-exporter.sh", []),
      peer: { name: "the seed's exporter", value: await seed(EXPORTED) },
      aim: null,
    },
  ];
}
