import { createHash } from "node:crypto";
import type { DeployedFunction, Deployment } from "./deployment.ts";
import type { AccessRequest } from "./iam.ts";
import { roleId } from "./resources.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** Who makes a call, as STS would tell it. */
export interface Caller {
  /** `aws:userid` */
  readonly userId: string;
  readonly arn: string;
  readonly credentials: Credentials;
  /** Whether the caller's identity policies allow it. */
  allows(request: AccessRequest): boolean;
}

/** Name of the instance role that local hosts carry: the stack's managed policy and nothing else. */
export const HOST_ROLE = "autopatch-host";

/** Everyone who may call the local stack. Each has an access key of its own, which is how a call is told from another's. */
export class Callers {
  readonly #deployment: Deployment;
  readonly #byKey = new Map<string, Caller>();
  /** A person at this machine: may do everything. */
  readonly operator: Caller;

  constructor(deployment: Deployment) {
    this.#deployment = deployment;
    this.operator = this.#add(
      "operator",
      "AIDALOCALOPERATOR",
      `arn:aws:iam::${deployment.place.account}:user/operator`,
      () => true,
    );
  }

  find(accessKeyId: string): Caller | undefined {
    return this.#byKey.get(accessKeyId);
  }

  /** A function calls with its execution role. */
  ofFunction({ name, roleName }: DeployedFunction): Caller {
    const { policies } = this.#deployment;
    return this.#session(roleName, name, (request) => policies.roleAllows(roleName, request));
  }

  /** A host calls with its instance role, which carries the managed policy that the stack puts out for hosts. */
  ofHost(instanceId: string): Caller {
    const { policies, outputs } = this.#deployment;
    const policy = outputs.HostPolicyArn ?? "";
    return this.#session(HOST_ROLE, instanceId, (request) => policies.managedPolicyAllows(policy, request));
  }

  #session(roleName: string, session: string, allows: Caller["allows"]): Caller {
    const { account } = this.#deployment.place;
    const arn = `arn:aws:sts::${account}:assumed-role/${roleName}/${session}`;
    const userId = `${roleId(roleName)}:${session}`;
    return this.#add(`${roleName}/${session}`, userId, arn, allows);
  }

  #add(seed: string, userId: string, arn: string, allows: Caller["allows"]): Caller {
    const hash = createHash("sha256").update(seed).digest("hex");
    const accessKeyId = `AKIA${hash.slice(0, 16).toUpperCase()}`;
    const { bucketDenies } = this.#deployment;
    const caller: Caller = {
      userId,
      arn,
      credentials: { accessKeyId, secretAccessKey: hash.slice(0, 40) },
      allows: (request) => {
        const asked = { ...request, context: { ...request.context, "aws:userid": userId } };
        // What a bucket's policy refuses, no identity's policy can give: not even to who may do everything.
        return allows(asked) && !bucketDenies(asked);
      },
    };
    this.#byKey.set(accessKeyId, caller);
    return caller;
  }
}
