import { Failure } from "../../contract/failures.ts";
import type { Config } from "./config.ts";

const DEADLINE_MS = 2_000;
const METADATA = "http://169.254.169.254";

/** Which instance this is and where: what SSM tells the processes it starts, else the instance's own metadata. */
export interface Instance {
  readonly instanceId: string;
  readonly region: string | null;
}

/**
 * @param environment of this process: AWS_SSM_INSTANCE_ID and AWS_SSM_REGION_NAME are the SSM agent's
 * @throws Failure `requestNotForThisHost` when nobody says which instance this is
 */
export async function readInstance(
  environment: Readonly<Record<string, string | undefined>>,
  config: Pick<Config, "AWS_REGION" | "AWS_EC2_METADATA_SERVICE_ENDPOINT">,
): Promise<Instance> {
  const endpoint = config.AWS_EC2_METADATA_SERVICE_ENDPOINT ?? METADATA;
  const told = environment.AWS_SSM_INSTANCE_ID;
  const region = config.AWS_REGION ?? environment.AWS_SSM_REGION_NAME ?? null;
  if (told !== undefined && told !== "" && region !== null) return { instanceId: told, region };
  try {
    const token = await ask(endpoint, "PUT", "/latest/api/token", { "x-aws-ec2-metadata-token-ttl-seconds": "60" });
    const metadata = (path: string) => ask(endpoint, "GET", path, { "x-aws-ec2-metadata-token": token });
    return {
      instanceId: told || (await metadata("/latest/meta-data/instance-id")),
      region: region ?? (await metadata("/latest/meta-data/placement/region")),
    };
  } catch (cause) {
    if (told) return { instanceId: told, region };
    throw new Failure(
      "requestNotForThisHost",
      `nobody says which instance this is: AWS_SSM_INSTANCE_ID is not set, and ${endpoint} did not answer`,
      { cause },
    );
  }
}

async function ask(endpoint: string, method: string, path: string, headers: Record<string, string>): Promise<string> {
  const url = new URL(path, endpoint);
  const response = await fetch(url, { method, headers, signal: AbortSignal.timeout(DEADLINE_MS) });
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
  return (await response.text()).trim();
}
