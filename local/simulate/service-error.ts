import { NoSuchKey, NotFound, S3ServiceException } from "@aws-sdk/client-s3";
import { InvocationDoesNotExist, SSMServiceException } from "@aws-sdk/client-ssm";

/** A service refuses a call; `name` is its exception, as the SDK names it. */
export class ServiceError extends Error {
  constructor(name: string, message = name) {
    super(message);
    this.name = name;
  }
}

/** A service that refuses has answered: nothing was done. */
const ANSWERED = { httpStatusCode: 400 };

/** The SDK's own class, where a caller asks by class. */
export function asSdkError(error: ServiceError, service: string): Error {
  const common = { message: error.message, $metadata: {} };
  if (error.name === "NoSuchKey") return new NoSuchKey(common);
  if (error.name === "InvocationDoesNotExist") return new InvocationDoesNotExist(common);
  if (error.name === "NotFound") return new NotFound({ ...common, $metadata: { httpStatusCode: 404 } });
  if (service === "SSM")
    return new SSMServiceException({ ...common, $metadata: ANSWERED, name: error.name, $fault: "client" });
  if (service === "S3") return new S3ServiceException({ ...common, name: error.name, $fault: "client" });
  return error;
}
