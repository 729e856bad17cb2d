import { AwsError } from "../aws-error.ts";

const error = (code: string, status: number, message: string, fields: Readonly<Record<string, string>> = {}) =>
  new AwsError(code, message, { status, fields });

/** S3's refusals, in its own words. */
export const s3Errors = {
  noSuchBucket: (BucketName: string) =>
    error("NoSuchBucket", 404, "The specified bucket does not exist", { BucketName }),
  noSuchKey: (Key: string) => error("NoSuchKey", 404, "The specified key does not exist.", { Key }),
  noSuchVersion: (Key: string, VersionId: string) =>
    error("NoSuchVersion", 404, "The specified version does not exist.", { Key, VersionId }),
  noSuchUpload: (UploadId: string) =>
    error(
      "NoSuchUpload",
      404,
      "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
      { UploadId },
    ),
  deleteMarker: () => error("MethodNotAllowed", 405, "The specified method is not allowed against this resource."),
  preconditionFailed: (Condition: string) =>
    error("PreconditionFailed", 412, "At least one of the pre-conditions you specified did not hold", { Condition }),
  invalidRange: (RangeRequested: string, ActualObjectSize: number) =>
    error("InvalidRange", 416, "The requested range is not satisfiable", {
      RangeRequested,
      ActualObjectSize: String(ActualObjectSize),
    }),
  accessDenied: (message: string) => error("AccessDenied", 403, message),
  badDigest: (what: string) =>
    error("BadDigest", 400, `The ${what} you specified did not match the calculated checksum.`),
  contentMismatch: () =>
    error(
      "XAmzContentSHA256Mismatch",
      400,
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
  incompleteBody: () =>
    error("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
  invalidPart: () =>
    error(
      "InvalidPart",
      400,
      "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    ),
  invalidPartOrder: () =>
    error(
      "InvalidPartOrder",
      400,
      "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
    ),
  tooSmall: () => error("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size"),
  keyTooLong: () => error("KeyTooLongError", 400, "Your key is too long"),
  malformed: () => error("MalformedXML", 400, "The XML you provided was not well-formed or did not validate"),
  invalidArgument: (ArgumentName: string, ArgumentValue: string) =>
    error("InvalidArgument", 400, `${ArgumentName}: ${ArgumentValue} is not valid`, { ArgumentName, ArgumentValue }),
  notImplemented: (what: string) => error("NotImplemented", 501, `s3: ${what} is not done by the local stack`),
};
