import { advance, type HostProgress, initialProgress, type Progress, type RunEvent } from "./progress.ts";

/** Where progress is shown; a terminal gets a picture that is painted over, anything else gets lines. */
export interface Display {
  /** A phase of the set-up or the run, on a line of its own. */
  phase(text: string): void;
  event(event: RunEvent): void;
  /** Leaves what is shown as it is and ends. */
  close(): void;
}

export interface Output {
  readonly isTTY: boolean;
  readonly columns: number;
  write(text: string): void;
}

const OUTCOME_MARK: Readonly<Record<string, string>> = {
  succeeded: "✓",
  rebootRequired: "✓",
  nothingToDo: "·",
  blocked: "‖",
  failed: "✗",
};

/** @param elapsed milliseconds since the program began */
export function openDisplay(
  output: Output,
  hosts: readonly { readonly instanceId: string; readonly name: string }[],
  elapsed: () => number,
  color: boolean,
): Display {
  return output.isTTY ? new PaintedDisplay(output, hosts, elapsed, color) : new LineDisplay(output, hosts, elapsed);
}

/** `[ 12.3s] text` */
export function stamped(ms: number, text: string): string {
  return `[${(ms / 1000).toFixed(1).padStart(6)}s] ${text}`;
}

class LineDisplay implements Display {
  readonly #output: Output;
  readonly #elapsed: () => number;
  #progress: Progress;

  constructor(output: Output, hosts: readonly { instanceId: string; name: string }[], elapsed: () => number) {
    this.#output = output;
    this.#elapsed = elapsed;
    this.#progress = initialProgress(hosts);
  }

  phase(text: string): void {
    this.#output.write(`${stamped(this.#elapsed(), text)}\n`);
  }

  event(event: RunEvent): void {
    const before = this.#progress;
    this.#progress = advance(before, event, this.#elapsed());
    const line = describe(event, this.#progress, before);
    if (line !== null) this.phase(line);
  }

  close(): void {}
}

function describe(event: RunEvent, progress: Progress, before: Progress): string | null {
  switch (event.kind) {
    case "state":
      return event.state === before.state ? null : event.state;
    case "planned":
      return event.waves
        .map(({ name, hosts }) => `${name}: ${hosts.length} host${hosts.length === 1 ? "" : "s"}`)
        .join(", ");
    case "stepStarted":
      return null;
    case "stepEnded": {
      const host = progress.hosts.find(({ instanceId }) => instanceId === event.instanceId);
      const wave = host?.wave === null || host === undefined ? "" : (progress.waves[host.wave] ?? "");
      const note = event.note === "" ? "" : `  ${event.note}`;
      const mark = OUTCOME_MARK[event.outcome] ?? "?";
      return `${wave.padEnd(8)} ${(host?.name ?? event.instanceId).padEnd(10)} ${event.step.padEnd(9)} ${mark} ${event.outcome}${note}`;
    }
  }
}

class PaintedDisplay implements Display {
  readonly #output: Output;
  readonly #elapsed: () => number;
  readonly #color: boolean;
  readonly #timer: NodeJS.Timeout;
  #progress: Progress;
  #painted = 0;
  #running = false;

  constructor(
    output: Output,
    hosts: readonly { instanceId: string; name: string }[],
    elapsed: () => number,
    color: boolean,
  ) {
    this.#output = output;
    this.#elapsed = elapsed;
    this.#color = color;
    this.#progress = initialProgress(hosts);
    this.#timer = setInterval(() => this.#running && this.#paint(), 250);
    this.#timer.unref();
  }

  phase(text: string): void {
    this.#erase();
    this.#output.write(`${stamped(this.#elapsed(), text)}\n`);
    if (this.#running) this.#paint();
  }

  event(event: RunEvent): void {
    this.#running = true;
    this.#progress = advance(this.#progress, event, this.#elapsed());
    this.#paint();
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#running) this.#paint();
    this.#running = false;
    this.#painted = 0;
  }

  #erase(): void {
    if (this.#painted > 0) this.#output.write(`\x1b[${this.#painted}A\x1b[J`);
    this.#painted = 0;
  }

  #paint(): void {
    const lines = paint(this.#progress, this.#elapsed(), this.#output.columns, this.#color);
    this.#erase();
    this.#output.write(`${lines.join("\n")}\n`);
    this.#painted = lines.length;
  }
}

/** The picture of a run: its state, then each wave with its hosts. No line is wider than `columns`. */
export function paint(progress: Progress, now: number, columns: number, color: boolean): string[] {
  const lines = [stamped(now, progress.state)];
  const ofWave = (wave: number | null) => progress.hosts.filter((host) => host.wave === wave);
  for (const [wave, name] of progress.waves.entries()) {
    lines.push(`  ${name}`, ...ofWave(wave).map((host) => hostLine(host, now, columns, color)));
  }
  if (progress.waves.length === 0) lines.push(...ofWave(null).map((host) => hostLine(host, now, columns, color)));
  return lines;
}

function hostLine(host: HostProgress, now: number, columns: number, color: boolean): string {
  const mark = host.running ? "▸" : (OUTCOME_MARK[host.outcome ?? ""] ?? " ");
  const doing = host.step === null ? "waiting" : host.step;
  const aside = host.running ? `${((now - host.changedAt) / 1000).toFixed(0)} s` : host.note;
  const text = `    ${mark} ${host.name.padEnd(10)} ${doing.padEnd(10)} ${aside}`.trimEnd();
  const cut = text.length > columns ? `${text.slice(0, Math.max(0, columns - 1))}…` : text;
  if (!color) return cut;
  const paint = host.running ? 36 : host.outcome === "failed" ? 31 : host.outcome === "succeeded" ? 32 : 0;
  return paint === 0 ? cut : `\x1b[${paint}m${cut}\x1b[0m`;
}
