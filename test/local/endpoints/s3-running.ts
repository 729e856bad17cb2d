import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { BUCKET, HOST, OPERATOR, REGION, runEndpoint } from "./running.ts";

/** A running endpoint with clients of an operator and of a host, and the two calls that every S3 test makes. */
export async function runS3() {
  const running = await runEndpoint();
  const client = (credentials: typeof OPERATOR) =>
    new S3Client({ endpoint: running.url, region: REGION, credentials, forcePathStyle: true });
  const [s3, asHost] = [client(OPERATOR), client(HOST)];
  return {
    running,
    s3,
    asHost,
    put: (Key: string, Body: string | Buffer) => s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body })),
    read: async (Key: string, more: { VersionId?: string; Range?: string } = {}) => {
      const object = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key, ...more }));
      return object.Body?.transformToString();
    },
    stop: async () => {
      s3.destroy();
      asHost.destroy();
      await running.stop();
    },
  };
}
