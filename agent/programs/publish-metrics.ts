import { EXIT, Failure } from "../../contract/failures.ts";
import { METRICS } from "../../contract/names.ts";
import type { Config } from "../host/config.ts";
import { readInstance } from "../host/instance.ts";
import { cloudWatchData } from "../telemetry/cloudwatch.ts";
import { watchedFigures } from "../telemetry/watched-figures.ts";
import { openCommand } from "./command.ts";
import { publishVerb } from "./manager-verbs.ts";
import { readFlags } from "./program.ts";

/**
 * `autopatch-manager.sh publish-metrics`: the host's own figures under the seed's names.
 * @throws Failure `configurationInvalid`, `requestNotForThisHost`, `metricsNotPublished`
 */
export async function publishMetrics(args: readonly string[]): Promise<number> {
  readFlags("autopatch-manager.sh publish-metrics", publishVerb.flags, args);
  const { machine, config } = openCommand("manager", { dryRun: true });
  if (config.AUTOPATCH_CLOUDWATCH === "off") {
    process.stdout.write("Nothing published: AUTOPATCH_CLOUDWATCH is off.\n");
    return EXIT.ok;
  }
  const { instanceId, region } = await readInstance(process.env, config);
  if (region === null)
    throw new Failure("configurationInvalid", "nobody says which Region this is: set AWS_REGION in autopatch.conf");
  const dimension = dimensionOf(config, instanceId);
  const now = machine.clock.now();
  const metrics = cloudWatchData(await watchedFigures(machine), now);
  // The SDK takes a tenth of a second to load: only who publishes pays for it.
  const { publishToCloudWatch } = await import("../host/cloudwatch.ts");
  try {
    await publishToCloudWatch({ region, dimension }, config, metrics, now);
  } catch (cause) {
    throw new Failure("metricsNotPublished", `CloudWatch in ${region}: ${(cause as Error).message}`, { cause });
  }
  const names = metrics.flatMap(({ data }) => data.map(({ name, value }) => `${name} ${value}`));
  process.stdout.write(`Published for ${dimension.name} ${dimension.value}: ${names.join(", ")}.\n`);
  return EXIT.ok;
}

/** Pure. @throws Failure `configurationInvalid` for a fleet without a name */
export function dimensionOf(
  config: Pick<Config, "AUTOPATCH_CLOUDWATCH" | "AUTOPATCH_FLEET">,
  instanceId: string,
): { name: string; value: string } {
  if (config.AUTOPATCH_CLOUDWATCH === "instance") return { name: METRICS.instanceDimension, value: instanceId };
  if (config.AUTOPATCH_FLEET === undefined)
    throw new Failure("configurationInvalid", "AUTOPATCH_CLOUDWATCH=fleet needs the fleet's name: set AUTOPATCH_FLEET");
  return { name: METRICS.fleetDimension, value: config.AUTOPATCH_FLEET };
}
