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

  /** A host calls with its instance role, which carries the stack's managed policies. */
  ofHost(instanceId: string): Caller {
    const { policies, managedPolicyArns } = this.#deployment;
    return this.#session(HOST_ROLE, instanceId, (request) =>
      managedPolicyArns.some((policy) => policies.managedPolicyAllows(policy, request)),
    );
  }

  #session(roleName: string, session: string, allows: Caller["allows"]): Caller {
    const { account } = this.#deployment.place;
    const arn = `arn:aws:sts::${account}:assumed-role/${roleName}/${session}`;
    const userId = `${roleId(roleName)}:${session}`;
    return this.#add(`${roleName}/${session}`, userId, arn, (request) =>
      allows({ ...request, context: { ...request.context, "aws:userid": userId } }),
    );
  }

  #add(seed: string, userId: string, arn: string, allows: Caller["allows"]): Caller {
    const hash = createHash("sha256").update(seed).digest("hex");
    const accessKeyId = `AKIA${hash.slice(0, 16).toUpperCase()}`;
    const caller = { userId, arn, credentials: { accessKeyId, secretAccessKey: hash.slice(0, 40) }, allows };
    this.#byKey.set(accessKeyId, caller);
    return caller;
  }
}
