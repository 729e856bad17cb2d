import { AsyncLocalStorage } from "node:async_hooks";
import { SSMClient } from "@aws-sdk/client-ssm";

/** Takes a call in place of AWS: `SSM`, `SendCommand` and its input. */
export type SdkPort = (service: string, operation: string, input: unknown) => Promise<unknown>;

interface AnyClient {
  readonly config: { readonly serviceId: string };
}
type Send = (this: AnyClient, command: { readonly input: unknown }) => Promise<unknown>;

const calls = new AsyncLocalStorage<SdkPort>();
let isIntercepted = false;

/** Runs `work` with every SDK client in it calling `port`, whoever made the client and when; nothing is serialised, nothing leaves. */
export function withSdk<T>(port: SdkPort, work: () => Promise<T>): Promise<T> {
  intercept();
  return calls.run(port, work);
}

/** Every client of the SDK inherits one `send`. Outside of `withSdk` it stays what it was. */
function intercept(): void {
  if (isIntercepted) return;
  isIntercepted = true;
  const base = Object.getPrototypeOf(SSMClient.prototype) as { send: Send };
  const original = base.send;
  base.send = function (command, ...rest: unknown[]) {
    const port = calls.getStore();
    if (port === undefined) return (original as (...all: unknown[]) => Promise<unknown>).call(this, command, ...rest);
    return port(this.config.serviceId, command.constructor.name.replace(/Command$/, ""), command.input);
  };
}
