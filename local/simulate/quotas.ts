/** A token bucket: so many at once, so many more a second. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** What AWS lets one account do in one Region. Each may be set otherwise. */
export interface Quotas {
  /** Calls by `Service.Operation`, or of a whole service. Not listed: not limited. */
  readonly calls: Readonly<Record<string, Rate>>;
  /** State transitions of Standard workflows; beyond it executions wait. */
  readonly transitions: Rate;
  /** Children that Distributed Maps start. */
  readonly mapChildren: Rate;
  /** Lambda invocations at the same time. */
  readonly concurrency: number;
}

const rate = (burst: number, perSecond = burst): Rate => ({ burst, perSecond });

/**
 * The published defaults of us-east-1, us-west-2 and eu-west-1, as of 2026-01. Step Functions: "Service quotas" (StartExecution 1,300
 * and 300/s, StateTransition 5,000, SendTask* 3,000 and 500/s; Distributed Map: children at about 100/s). Lambda: "Lambda quotas". S3:
 * 3,500 writes and 5,500 reads a second and prefix. AWS publishes no rate for Run Command's calls: the figures here are cautious, and
 * whoever knows their account's gives them with --quota.
 */
export const DEFAULT_QUOTAS: Quotas = {
  calls: {
    "SSM.SendCommand": rate(10),
    "SSM.ListCommandInvocations": rate(20),
    "SSM.GetCommandInvocation": rate(20),
    "SSM.DescribeInstanceInformation": rate(10),
    "SSM.GetParameter": rate(40),
    "SFN.StartExecution": rate(1_300, 300),
    "SFN.SendTaskSuccess": rate(3_000, 500),
    "S3.GetObject": rate(5_500),
    "S3.ListObjectsV2": rate(5_500),
    "S3.PutObject": rate(3_500),
    "S3.HeadObject": rate(5_500),
    "SSM.PutComplianceItems": rate(25),
    "KMS.Sign": rate(1_000),
    "CloudWatch.PutMetricData": rate(500),
    "SNS.Publish": rate(30_000),
  },
  transitions: rate(5_000),
  mapChildren: rate(100),
  concurrency: 1_000,
};

/** A rate in virtual time. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #at = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** Takes a token when there is one. */
  take(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes a token in any case. @returns milliseconds until it is there */
  queue(nowMs: number): number {
    this.#fill(nowMs);
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#rate.perSecond) * 1000);
  }

  #fill(nowMs: number): void {
    const since = Math.max(0, nowMs - this.#at);
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (since / 1000) * this.#rate.perSecond);
    this.#at = nowMs;
  }
}
