import { dirname } from "node:path";
import { EXIT, Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { lstatOrNull, onMachine, ownFolder, writeOwn } from "../host/files.ts";
import type { Machine } from "../host/machine.ts";
import { readMetricFacts } from "../telemetry/metric-facts.ts";
import { metricsOf } from "../telemetry/metrics.ts";
import { formatMetrics } from "../telemetry/prometheus.ts";
import { openCommand } from "./command.ts";
import type { Declaration } from "./declaration.ts";
import { readFlags } from "./program.ts";

export const declaration = {
  name: "autopatch-prometheus-exporter.sh",
  summary: "write this host's metrics for Prometheus' node_exporter",
  about:
    "Writes the metrics into the folder of node_exporter's textfile collector, whole or not at all. AUTOPATCH_PROMETHEUS_FILE in the configuration names another file.",
  flags: { stdout: { type: "boolean", meaning: "prints the metrics and writes no file" } },
  exits: ["security"],
  files: [["/var/lib/node_exporter/textfile_collector/autopatch.prom", "the metrics, unless configured otherwise"]],
} as const satisfies Declaration;

export async function run(args: readonly string[]): Promise<number> {
  const { flags } = readFlags(declaration.name, declaration.flags, args);
  const { machine, context, config } = openCommand("exporter", { dryRun: true });
  const text = await metricsText(machine, context.policy);
  if (flags.stdout === true) process.stdout.write(text);
  else writeMetrics(machine, config.AUTOPATCH_PROMETHEUS_FILE, text);
  return EXIT.ok;
}

/** The metrics as node_exporter reads them. */
export async function metricsText(machine: Machine, policy: Parameters<typeof readMetricFacts>[1]): Promise<string> {
  return formatMetrics(metricsOf(await readMetricFacts(machine, policy)));
}

/**
 * Puts the metrics where the collector reads them, at once. The folder may be the collector's own; the file's name is all that is written
 * there, and no link of that name is followed.
 * @throws Failure `pathUnsafe` when the folder is a link or everybody's
 */
export function writeMetrics(machine: Machine, path: string, text: string): void {
  const folder = dirname(path);
  const stat = lstatOrNull(onMachine(machine, folder));
  if (stat === null) ownFolder(machine, folder);
  else if (!stat.isDirectory() || (stat.mode & 0o002) !== 0)
    throw new Failure(
      "pathUnsafe",
      `${folder} is no folder, a link, or writable by everybody: see ${HOST_PATHS.config}`,
    );
  writeOwn(machine, path, text);
}
