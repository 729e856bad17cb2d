import { randomUUID } from "node:crypto";
import type { AwsError } from "../aws-error.ts";
import type { AwsRequest, AwsResponse } from "./request.ts";
import { element } from "./xml.ts";

/** The Query protocol: a form with dotted names in, XML out. Lists are `member`, maps are `entry` with key (or Name) and value (or Value). */
export function readQueryCall(request: AwsRequest): { operation: string; input: unknown } {
  const form = new URLSearchParams(request.body.toString("utf8"));
  const tree: Tree = {};
  for (const [name, value] of form) {
    if (name !== "Action" && name !== "Version") plant(tree, name.split("."), value);
  }
  return { operation: form.get("Action") ?? "", input: asValue(tree) };
}

export function writeQueryAnswer(operation: string, namespace: string, output: unknown): AwsResponse {
  const body = element(`${operation}Response xmlns="${namespace}"`, {
    [`${operation}Result`]: withMembers(output),
    ResponseMetadata: { RequestId: randomUUID() },
  });
  return { status: 200, headers: { "content-type": "text/xml" }, body };
}

export function writeQueryError(namespace: string, { code, message, status }: AwsError): AwsResponse {
  const error = { Type: status >= 500 ? "Receiver" : "Sender", Code: code, Message: message };
  const body = element(`ErrorResponse xmlns="${namespace}"`, { Error: error, RequestId: randomUUID() });
  return { status, headers: { "content-type": "text/xml" }, body };
}

interface Tree {
  [name: string]: Tree | string;
}

function plant(tree: Tree, [head = "", ...rest]: string[], value: string): void {
  if (rest.length === 0) {
    tree[head] = value;
    return;
  }
  const next = tree[head];
  const inner: Tree = typeof next === "object" ? next : {};
  tree[head] = inner;
  plant(inner, rest, value);
}

function asValue(tree: Tree | string): unknown {
  if (typeof tree === "string") return tree;
  const list = tree.member ?? tree.entry;
  if (typeof list === "object" && Object.keys(tree).length === 1) {
    const items = Object.entries(list)
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, item]) => asValue(item));
    return tree.member === undefined ? Object.fromEntries(items.map(asEntry)) : items;
  }
  return Object.fromEntries(Object.entries(tree).map(([name, inner]) => [name, asValue(inner)]));
}

function asEntry(item: unknown): [string, unknown] {
  const { key, Name, value, Value } = item as Record<string, unknown>;
  return [String(key ?? Name), value ?? Value];
}

function withMembers(value: unknown): unknown {
  if (value instanceof Map) return { entry: [...value].map(([key, inner]) => ({ key, value: inner })) };
  if (Array.isArray(value)) return { member: value.map(withMembers) };
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withMembers(inner)]));
}
