import { createHash } from "node:crypto";
import { ServiceError } from "./service-error.ts";

interface PutInput {
  readonly Key: string;
  readonly Body?: string | Uint8Array;
  readonly IfNoneMatch?: string;
  readonly IfMatch?: string;
}

const PAGE = 1_000;

/** A bucket of texts in memory: puts with conditions, gets, heads, lists in pages. What hosts would have written is asked of `others`. */
export class SimulatedBucket {
  readonly #objects = new Map<string, string>();
  readonly #others: (key: string) => string | undefined;

  constructor(others: (key: string) => string | undefined) {
    this.#others = others;
  }

  text(key: string): string | undefined {
    return this.#objects.get(key) ?? this.#others(key);
  }

  /** @throws ServiceError NoSuchKey */
  get({ Key }: { readonly Key: string }) {
    const text = this.text(Key);
    if (text === undefined) throw new ServiceError("NoSuchKey");
    const Body = {
      transformToString: async () => text,
      transformToByteArray: async () => new Uint8Array(Buffer.from(text)),
    };
    return { Body, ETag: etag(text), ContentLength: text.length };
  }

  /** @throws ServiceError PreconditionFailed, NoSuchKey */
  put({ Key, Body = "", IfNoneMatch, IfMatch }: PutInput) {
    const before = this.#objects.get(Key);
    if (IfNoneMatch === "*" && before !== undefined) throw new ServiceError("PreconditionFailed");
    if (IfMatch !== undefined && before === undefined) throw new ServiceError("NoSuchKey");
    if (IfMatch !== undefined && before !== undefined && etag(before) !== IfMatch)
      throw new ServiceError("PreconditionFailed");
    const text = typeof Body === "string" ? Body : Buffer.from(Body).toString();
    this.#objects.set(Key, text);
    return { ETag: etag(text) };
  }

  /** Hosts here offer the pool nothing. @throws ServiceError NotFound */
  head({ Key }: { readonly Key: string }) {
    const text = this.text(Key);
    if (text === undefined) throw new ServiceError("NotFound");
    return { ContentLength: text.length, ETag: etag(text) };
  }

  delete({ Key }: { readonly Key: string }) {
    this.#objects.delete(Key);
    return {};
  }

  list({ Prefix = "", ContinuationToken = "" }: { readonly Prefix?: string; readonly ContinuationToken?: string }) {
    const found = [...this.#objects.keys()].filter((key) => key.startsWith(Prefix) && key > ContinuationToken).sort();
    const shown = found.slice(0, PAGE);
    const last = shown.at(-1);
    return {
      Contents: shown.map((Key) => ({ Key })),
      ...(found.length > PAGE && last !== undefined ? { NextContinuationToken: last } : {}),
    };
  }
}

function etag(text: string): string {
  return `"${createHash("md5").update(text).digest("hex")}"`;
}
