import { EXIT, Failure } from "../../contract/failures.ts";
import { HOST_PATHS } from "../../contract/names.ts";
import { findBackup, readManifest } from "../backup/store.ts";
import { fetchBackup } from "../host/backup-fetch.ts";
import { uploadBackups } from "../host/backup-upload.ts";
import type { Cloud } from "../host/cloud.ts";
import type { Config } from "../host/config.ts";
import { readInstance } from "../host/instance.ts";
import type { Machine } from "../host/machine.ts";

/** Takes this host's backups, or the named one, into S3. */
export async function uploadAll(machine: Machine, config: Config, word: string | undefined): Promise<number> {
  const cloud = await cloudOf(config);
  const only = word === undefined ? {} : { only: [findBackup(machine, word)] };
  const { backups, sent, known, bytes } = await uploadBackups(machine, cloud, only);
  const what = `${sent} objects, ${(bytes / 1e6).toFixed(1)} MB sent; ${known} were there`;
  process.stdout.write(
    backups.length === 0
      ? `Nothing to upload: s3://${cloud.bucket} has it already.\n`
      : `Uploaded to s3://${cloud.bucket}: ${backups.join(", ")} (${what}).\n`,
  );
  return EXIT.ok;
}

/** Brings one backup back. */
export async function fetchOne(
  machine: Machine,
  config: Config,
  backup: string,
  from: string | undefined,
): Promise<number> {
  const request = from === undefined ? { backup } : { backup, from };
  const { id, own, bytes, from: userId } = await fetchBackup(machine, await cloudOf(config), request);
  const came = bytes === 0 ? "was here already" : `came whole, ${(bytes / 1e6).toFixed(1)} MB`;
  process.stdout.write(`${id} of ${own ? "this host" : userId} ${came}: ${HOST_PATHS.backups}/${id}\n`);
  if (!own && readManifest(machine, id).kind === "complete")
    process.stdout.write(`rollback.sh --restore-system ${id} --force makes this host what that one was.\n`);
  return EXIT.ok;
}

/** @throws Failure `configurationInvalid` when nobody says which bucket or Region */
async function cloudOf(config: Config): Promise<Cloud> {
  const bucket = config.AUTOPATCH_BUCKET;
  if (bucket === undefined)
    throw new Failure(
      "configurationInvalid",
      `${HOST_PATHS.config}: set AUTOPATCH_BUCKET to the stack's output BucketName`,
    );
  const region = config.AWS_REGION ?? (await readInstance(process.env, config)).region;
  if (region === null) throw new Failure("configurationInvalid", `${HOST_PATHS.config}: set AWS_REGION`);
  return { bucket, region, config };
}
