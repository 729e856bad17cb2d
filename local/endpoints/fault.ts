import { AwsError } from "./aws-error.ts";
import type { Caller } from "./protocol/request.ts";

/** What a call is answered with instead of being carried out: a throttle, a denial, a service that is down. */
export interface Fault {
  /** As the service names it: `ThrottlingException`, `SlowDown`. */
  readonly code: string;
  /** HTTP status; SDK clients try again after 429 and from 500 on. */
  readonly status: number;
  /** @default says that it is made on purpose */
  readonly message?: string;
}

/** Asked once before each operation that the local stack knows. `operation` by its API name, also for S3: `PutObject`. */
export type FaultPort = (caller: Caller, service: string, operation: string) => Fault | undefined;

/** @throws AwsError the fault, when there is one for this call */
export function raiseFault(fault: FaultPort | undefined, caller: Caller, service: string, operation: string): void {
  const told = fault?.(caller, service, operation);
  if (told === undefined) return;
  throw new AwsError(told.code, told.message ?? `${service} ${operation}: a fault made on purpose`, {
    status: told.status,
  });
}
