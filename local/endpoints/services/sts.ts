import { z } from "zod";
import { operation } from "../protocol/call.ts";
import type { Service } from "../protocol/request.ts";

/** Security Token Service: who am I. Everyone may ask. */
export function stsService(account: string): Service {
  return {
    name: "sts",
    access: () => [],
    operations: {
      GetCallerIdentity: operation(z.strictObject({}), (_request, { userId, arn }) => ({
        UserId: userId,
        Account: account,
        Arn: arn,
      })),
    },
  };
}
