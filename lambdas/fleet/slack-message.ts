import type { Notice } from "./notice.ts";

/** Slack cuts what is longer than 40,000 characters, and folds what is longer than some screens. */
const LONGEST = 3_500;

/** A notice as a webhook of Slack takes it. Pure. What is left out is said; the body's last line says where all of it is. */
export function slackMessage({ subject, body }: Notice): { readonly text: string } {
  const lines = body.split("\n");
  const last = lines.at(-1) ?? "";
  const kept: string[] = [];
  let length = subject.length + last.length;
  for (const line of lines.slice(0, -1)) {
    length += line.length + 1;
    if (length > LONGEST) break;
    kept.push(line);
  }
  const whole = kept.length === lines.length - 1;
  return { text: escaped([`*${subject}*`, ...kept, ...(whole ? [] : ["…"]), last].join("\n")) };
}

/** The three characters that mean something to Slack, `<!channel>` among what they could make. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A secret that holds something else than the address of a webhook. Says what is wrong, and never what it holds. */
export class WebhookAddressError extends Error {
  override readonly name = "WebhookAddressError";
}

/**
 * The address that a secret holds. Pure. Only https: the address itself is what lets somebody post, and would else go over the wire in clear.
 * @throws WebhookAddressError
 */
export function webhookAddress(secret: string): URL {
  const text = secret.trim();
  if (text.startsWith("{"))
    throw new WebhookAddressError("the secret holds keys and values; store the webhook's address alone, as plain text");
  if (!URL.canParse(text)) throw new WebhookAddressError("the secret holds no address");
  const url = new URL(text);
  if (url.protocol !== "https:") throw new WebhookAddressError("the secret's address does not begin with https://");
  if (url.username !== "" || url.password !== "")
    throw new WebhookAddressError("the secret's address has a user or a password in it");
  return url;
}
