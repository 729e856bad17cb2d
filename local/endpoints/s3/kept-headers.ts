import { s3Errors } from "./errors.ts";

/** Kept with the object and given back with it. */
const KEPT =
  /^(content-type|content-disposition|content-language|cache-control|expires|x-amz-meta-.+|x-amz-server-side-encryption(-aws-kms-key-id|-bucket-key-enabled)?|x-amz-storage-class|x-amz-object-lock-(mode|retain-until-date|legal-hold))$/;
/** Belong to the request, not to the object. */
const OF_THE_REQUEST =
  /^x-amz-(date|content-sha256|security-token|user-agent|sdk-.+|decoded-content-length|trailer|checksum-.+|copy-source(-version-id)?|metadata-directive|tagging-directive|expected-bucket-owner|source-expected-bucket-owner|delete-marker|bypass-governance-retention|te)$/;

/**
 * What of the headers of an upload stays with the object.
 * @throws AwsError NotImplemented naming an x-amz header that is not known here: it would ask for something that is not done
 */
export function keptHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const unknown = Object.keys(headers).find(
    (name) => name.startsWith("x-amz-") && !KEPT.test(name) && !OF_THE_REQUEST.test(name),
  );
  if (unknown !== undefined) throw s3Errors.notImplemented(`the header ${unknown}`);
  const kept = Object.entries(headers).filter(([name]) => KEPT.test(name));
  const encoding = (headers["content-encoding"] ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "" && part !== "aws-chunked");
  return {
    "content-type": "binary/octet-stream",
    ...Object.fromEntries(kept),
    ...(encoding.length === 0 ? {} : { "content-encoding": encoding.join(",") }),
  };
}
