import { accessSync, constants, createWriteStream, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { exec } from "../agent/host/exec.ts";
import { SandboxFailure } from "../agent/host/sandbox/failure.ts";
import { EXIT } from "../contract/failures.ts";
import { ConfigError, type FleetConfig, readConfig } from "../infra/config.ts";
import { defaultCacheFolder } from "./hosts/base.ts";
import { HostsFailure } from "./hosts/failure.ts";
import { HELP, type Options, parseOptions, UsageError } from "./runner/options.ts";
import { EnvironmentError, LOCAL_REQUIREMENTS, provide, UNPRIVILEGED_REQUIREMENTS } from "./runner/requirements.ts";
import { runLocally } from "./runner/run.ts";

/** `npm start`: the only process.exit of the local fleet. */
process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  const closing = new AsyncDisposableStack();
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupted.abort());
  const interruption = new Promise<"interrupted">((resolve) => {
    interrupted.signal.addEventListener("abort", () => resolve("interrupted"), { once: true });
  });
  let serving = false;
  const work = async (): Promise<number> => {
    const options = parseOptions(args);
    if (options === null) {
      process.stdout.write(HELP);
      return EXIT.ok;
    }
    requireWritable(options);
    const repository = fileURLToPath(new URL("..", import.meta.url));
    const config = configOf(options, contextOf(join(repository, "cdk.json")));
    await requireMachine();
    return runLocally(options, {
      repository,
      config,
      output: {
        isTTY: process.stdout.isTTY ?? false,
        columns: process.stdout.columns ?? 100,
        write: (text) => void process.stdout.write(text),
      },
      color: (process.stdout.isTTY ?? false) && process.env.NO_COLOR === undefined,
      closing,
      signal: interrupted.signal,
      log: openLog(closing),
      served: () => {
        serving = true;
        return interruption.then(() => undefined);
      },
    });
  };
  const working = work();
  // Once interrupted, what the work still stumbles over is the consequence of closing.
  working.catch(() => {});
  try {
    const end = await Promise.race([working, interruption]);
    if (end !== "interrupted") return end;
    // Ctrl-C is how --serve is left; the run before it has its own exit code.
    if (serving) return await working;
    process.stderr.write("\ninterrupted: ending hosts and endpoints\n");
    return EXIT.interrupted;
  } catch (error) {
    return explain(error);
  } finally {
    await closing.disposeAsync();
  }
}

/** A report that cannot be written is said before the run, not after it. */
function requireWritable({ json, html }: Options): void {
  for (const file of [json, html].filter((name) => name !== null)) {
    try {
      accessSync(dirname(resolve(file)), constants.W_OK);
      if (existsSync(file)) accessSync(file, constants.W_OK);
    } catch (error) {
      throw new UsageError(`${file}: cannot be written: ${(error as Error).message}`);
    }
  }
}

/** The configuration that `cdk deploy` would take. */
function contextOf(file: string): unknown {
  try {
    return (JSON.parse(readFileSync(file, "utf8")) as { context?: { autopatch?: unknown } }).context?.autopatch;
  } catch (error) {
    throw new ConfigError(`${file}: cannot be read as JSON: ${(error as Error).message}`);
  }
}

/** The scenario's configuration over the repository's. */
function configOf({ scenario }: Options, context: unknown): FleetConfig {
  const config = readConfig(context);
  return scenario.config === undefined ? config : readConfig({ ...config, ...scenario.config });
}

async function requireMachine(): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  await provide(isRoot ? LOCAL_REQUIREMENTS : [...LOCAL_REQUIREMENTS, ...UNPRIVILEGED_REQUIREMENTS], {
    exec,
    path: process.env.PATH ?? "",
    isRoot,
    say: (text) => process.stdout.write(`${text}\n`),
  });
}

/** What Lambdas print and what goes wrong in delivery: too much for the terminal, kept for who asks why. */
function openLog(closing: AsyncDisposableStack): (line: string) => void {
  const folder = join(defaultCacheFolder(), "logs");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stream = createWriteStream(join(folder, "local.log"), { flags: "a", mode: 0o600 });
  closing.defer(() => new Promise<void>((resolve) => stream.end(resolve)));
  return (line) => void stream.write(`${new Date().toISOString()} [${process.pid}] ${line}\n`);
}

function explain(error: unknown): number {
  const known =
    error instanceof UsageError
      ? EXIT.usage
      : error instanceof ConfigError
        ? EXIT.configuration
        : error instanceof EnvironmentError || error instanceof HostsFailure || error instanceof SandboxFailure
          ? EXIT.environment
          : null;
  if (known === null) {
    process.stderr.write(`npm start: ${error instanceof Error ? error.stack : String(error)}\n`);
    return EXIT.internal;
  }
  process.stderr.write(`npm start: ${(error as Error).message}\n`);
  return known;
}
