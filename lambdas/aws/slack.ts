import { webhookAddress } from "../fleet/slack-message.ts";

/** Where the address of the webhook comes from. */
export interface SecretSource {
  text(secretId: string): Promise<string>;
}

/** `fetch`, as far as it is used here. */
export type Send = (url: URL, init: RequestInit) => Promise<Response>;

const DEADLINE_MS = 5_000;
/** So long an address is used again before it is asked for anew: one that was replaced is not used for ever. */
const KEPT_MS = 5 * 60_000;
/** Answers that mean that the address is not the right one any more. */
const STALE = new Set([401, 403, 404, 410]);

/** A webhook of Slack, or of what speaks like it. Its address is a secret: it stands in no message and no log. */
export class Slack {
  readonly #secrets: SecretSource;
  readonly #send: Send;
  #known: { readonly secretId: string; readonly url: URL; readonly until: number } | null = null;

  /** @param send what carries a request; whatever it is, only https addresses reach it */
  constructor(secrets: SecretSource, send: Send = (url, init) => fetch(url, init)) {
    this.#secrets = secrets;
    this.#send = send;
  }

  /** Posts a message within five seconds. Never throws: nobody's run depends on it. @returns `sent`, or `not sent: ` and why */
  async post(secretId: string, message: { readonly text: string }): Promise<string> {
    let url: URL;
    try {
      url = await this.#address(secretId);
    } catch (error) {
      const { name, message: why } = error as Error;
      return `not sent: secret ${secretId}: ${name}: ${why}`;
    }
    try {
      const answer = await this.#send(url, {
        method: "POST",
        headers: { "content-type": "application/json; charset=utf-8" },
        body: JSON.stringify(message),
        // The message is for this address alone.
        redirect: "manual",
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      if (answer.status === 200) return "sent";
      if (STALE.has(answer.status)) this.#known = null;
      return `not sent: ${url.host} answered ${answer.status} ${said(await answer.text(), url)}`.trimEnd();
    } catch (error) {
      return `not sent: ${url.host}: ${reason(error)}`;
    }
  }

  async #address(secretId: string): Promise<URL> {
    const known = this.#known;
    if (known !== null && known.secretId === secretId && performance.now() < known.until) return known.url;
    const url = webhookAddress(await this.#secrets.text(secretId));
    this.#known = { secretId, url, until: performance.now() + KEPT_MS };
    return url;
  }
}

/** The beginning of an answer, printable, without anything of the address. */
function said(text: string, url: URL): string {
  const parts = url.pathname.split("/").filter((part) => part.length > 3);
  const clean = parts.reduce((rest, part) => rest.replaceAll(part, "…"), text);
  return clean.replace(/[^\x20-\x7e…]+/g, " ").slice(0, 100);
}

/** The kind of an error of the network: its text may name the address. */
function reason(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: unknown } };
  if (name === "TimeoutError") return `no answer within ${DEADLINE_MS / 1000} s`;
  return typeof cause?.code === "string" ? cause.code : name;
}
