import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import type { Exec, ExecResult } from "../../../agent/host/exec.ts";
import type { StepResult } from "../../../contract/envelope.ts";
import { encodeResult } from "../../../contract/frame.ts";
import { type Lock, type LockEntry, lockDigest } from "../../../contract/lock.ts";
import { hostKind, KEYS } from "../../../contract/names.ts";
import { decodeRequest, type HostRequest } from "../../../contract/request.ts";
import type { StepReport } from "../../../contract/step-report.ts";
import type { StepName } from "../../../contract/steps.ts";
import type { Caller } from "../../../local/cloud/callers.ts";
import { said } from "../../lambdas/results.ts";

const STEP_LASTS_MS = 400;

/** A host of the local cloud without a machine behind it: it answers the agent's steps as a test tells it, and uses S3 with its own rights. */
export interface ToldHost {
  readonly instanceId: string;
  readonly release?: string;
  /** What it plans by itself: content of each .deb, by `name version`. */
  readonly plans: Readonly<Record<string, string>>;
  /** What it offers the pool in place of that, by SHA-256 of what it should offer. */
  readonly offers?: (content: string) => string;
  /** What its report says it planned, where that is not the truth. */
  readonly reports?: Readonly<Record<string, string>>;
}

export function entryOf(named: string, content: string): LockEntry {
  const [name = "", version = ""] = named.split(" ");
  const sha256 = createHash("sha256").update(content).digest("hex");
  return {
    name,
    version,
    architecture: "amd64",
    from: "0.9",
    sha256,
    size: content.length,
    file: `${name}_${version}_amd64.deb`,
  };
}

export function lockOf(release: string, plans: Readonly<Record<string, string>>): Lock {
  const entries = Object.entries(plans).map(([named, content]) => entryOf(named, content));
  return { release, architecture: "amd64", entries, removals: [] };
}

/** How the SSM agent runs a step on such a host. @param asked gets every request, by step */
export function execOf(
  host: ToldHost,
  caller: Caller,
  url: () => string,
  bucket: string,
  asked: Map<StepName, HostRequest>,
): Exec {
  let script = "";
  const answers = new Map<StepName, StepResult>();
  return async (file, args, options): Promise<ExecResult> => {
    const ended = (stdout: string) => ({
      command: [file, ...args],
      exitCode: 0,
      signal: null,
      timedOut: false,
      stdout,
      stderr: "",
      durationMs: 1,
    });
    if (options.input !== undefined) {
      script = String(options.input);
      return ended("");
    }
    const [, step = "", text = ""] = /step (\S+) --request '([^']+)'/.exec(script) ?? [];
    const request = decodeRequest(text);
    const before = request.steps[request.steps.indexOf(step as StepName) - 1];
    if (before !== undefined && answers.get(before)?.outcome !== "succeeded") return ended("");
    asked.set(step as StepName, request);
    // No host is done before its batch waits for it.
    await delay(STEP_LASTS_MS);
    const s3 = new S3Client({
      endpoint: url(),
      region: "eu-west-1",
      forcePathStyle: true,
      credentials: caller.credentials,
    });
    try {
      const result = await answer(host, step as StepName, request, { s3, bucket, userId: caller.userId });
      answers.set(step as StepName, result);
      return ended(`${encodeResult(result)}\n`);
    } finally {
      s3.destroy();
    }
  };
}

interface Place {
  readonly s3: S3Client;
  readonly bucket: string;
  readonly userId: string;
}

async function answer(host: ToldHost, step: StepName, request: HostRequest, place: Place): Promise<StepResult> {
  const { runId, attempt, dryRun } = request;
  const who = { instanceId: host.instanceId, runId, attempt, dryRun };
  const release = host.release ?? "bookworm";
  const lock = lockOf(release, host.plans);
  const ok = said(step, "ok", who) as StepResult & { data: Record<string, unknown> };
  if (step === "preflight") return { ...ok, data: { ...ok.data, release } } as StepResult;
  if (step === "install") return { ...ok, data: { ...ok.data, lockDigest: lockDigest(lock) } } as StepResult;
  if (step !== "download") return ok;
  const kind = hostKind(lock);
  if (request.fleetLocks !== undefined && !request.fleetLocks.kinds.includes(kind)) {
    const reasons = [{ code: "kindUnproven", message: `no canary proved a fleet lock for ${kind}` }];
    const { data: _, ...rest } = ok;
    return { ...rest, outcome: "blocked", reasons } as StepResult;
  }
  if (request.offerDebs === true) for (const content of Object.values(host.plans)) await offer(host, content, place);
  const reportKey = KEYS.hostReport(place.userId, runId, step, attempt);
  const result = { ...ok, reportKey, data: { ...ok.data, lockDigest: lockDigest(lock) } } as StepResult;
  const told = lockOf(release, host.reports ?? host.plans).entries;
  const report: StepReport = { result, plan: planOf(told), timings: [] };
  await place.s3.send(new PutObjectCommand({ Bucket: place.bucket, Key: reportKey, Body: JSON.stringify(report) }));
  return result;
}

/** As the agent does: only what the pool lacks, under the host's own prefix. */
async function offer(host: ToldHost, content: string, { s3, bucket, userId }: Place): Promise<void> {
  const { sha256 } = entryOf("any 1", content);
  const known = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: KEYS.pool(sha256) })).catch(() => null);
  if (known !== null) return;
  const Body = host.offers?.(content) ?? content;
  const ChecksumSHA256 = createHash("sha256").update(Body).digest("base64");
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: KEYS.offeredDeb(userId, sha256), Body, ChecksumSHA256 }));
}

export async function readAs(caller: Caller, url: string, Bucket: string, Key: string): Promise<string> {
  const s3 = new S3Client({
    endpoint: url,
    region: "eu-west-1",
    forcePathStyle: true,
    credentials: caller.credentials,
  });
  try {
    return (await (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString()) ?? "";
  } finally {
    s3.destroy();
  }
}

function planOf(entries: readonly LockEntry[]): NonNullable<StepReport["plan"]> {
  const known = { origin: "test", security: false, critical: false, cves: null, cvesIncomplete: false };
  const packages = entries.map((entry) => ({ ...entry, ...known }));
  return { packages, removals: [], leftOut: [], downloadBytes: 0, installedBytes: 0 };
}
