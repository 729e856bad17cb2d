import type { Config } from "./config.ts";

/** Where this host's backups and the fleet's packages lie off the host. */
export interface Cloud {
  readonly bucket: string;
  readonly region: string;
  readonly config: Pick<Config, "AWS_ENDPOINT_URL" | "AWS_EC2_METADATA_SERVICE_ENDPOINT">;
}
