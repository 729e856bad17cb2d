/** One metric with all its samples, as Prometheus reads it. */
export interface Metric {
  /** `autopatch_packages_total` */
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  /** @default none */
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Metrics in Prometheus' text format, without timestamps: node_exporter refuses a whole textfile for one. Pure.
 * @throws Error for a value that is no number: a metric that cannot be told is left out, not made up
 */
export function formatMetrics(metrics: readonly Metric[]): string {
  return metrics
    .filter((metric) => metric.samples.length > 0)
    .map(({ name, type, help, samples }) => {
      const lines = samples.map(({ labels, value }) => {
        if (!Number.isFinite(value)) throw new Error(`${name} is ${value}, which is no number`);
        return `${name}${labelText(labels ?? {})} ${value}\n`;
      });
      return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join("")}`;
    })
    .join("");
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
