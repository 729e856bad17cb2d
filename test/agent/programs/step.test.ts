import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HOST_PATHS } from "../../../contract/names.ts";
import { encodeRequest } from "../../../contract/request.ts";
import { StepReport } from "../../../contract/step-report.ts";
import { type AgentHost, type Bench, holdLock, killInside, openBench, PATH, RUN, requestFor, send } from "../bench.ts";

let bench: Bench;
let host: AgentHost;
beforeAll(async () => {
  bench = await openBench();
  host = await bench.host();
});
afterAll(() => bench.close());

const sendTo = (step: string, request: string) => send({ id: host.id, exec: host.sandbox.exec }, step, request);

describe("a request that is not for this host, step or time changes nothing and is answered", () => {
  test.each([
    [
      "expired",
      { expiresAt: "2026-01-01T00:00:00.000Z" },
      "preflight",
      "requestExpired",
      /^the request for preflight expired at 2026-01-01/,
    ],
    [
      "of another host",
      { instanceIds: ["i-00000000000000bad"] },
      "preflight",
      "requestNotForThisHost",
      /^this is i-0+1, the request names i-00000000000000bad$/,
    ],
    [
      "sent to another step's document",
      {},
      "download",
      "requestInvalid",
      "the request is for preflight, the document asks for download",
    ],
  ] as const)("%s", async (_name, changes, document, code, message) => {
    const request = requestFor(host.id, "preflight", 1, { runId: "refused", ...changes } as object);
    const { exit, result } = await sendTo(document, encodeRequest(request));
    expect(result).toMatchObject({ outcome: "failed", step: document, code, runId: "refused", retryable: false });
    expect("message" in result && result.message).toMatch(message);
    expect(exit).toBe(13);
    expect((await host.run("ls", `${HOST_PATHS.state}/runs`)).stdout).not.toContain("refused");
  });

  test("text that is no request", async () => {
    const { exit, result } = await sendTo("verify", "aGVsbG8");
    expect(exit).toBe(13);
    expect(result).toMatchObject({ step: "verify", runId: "unknown", outcome: "failed", code: "requestInvalid" });
  });
});

test("a step of a command is done only when the one before it passed; else it says nothing and SSM goes on", async () => {
  const steps = ["preflight", "download", "verify"] as const;
  const text = (runId: string) => encodeRequest(requestFor(host.id, "preflight", 1, { runId, steps: [...steps] }));
  const call = (step: string, runId: string) =>
    host.sandbox.exec(HOST_PATHS.executable, ["step", step, "--request", text(runId)], {
      deadlineMs: 60_000,
      env: { PATH, AWS_SSM_INSTANCE_ID: host.id, AWS_SSM_REGION_NAME: "eu-west-3" },
    });

  const early = await call("download", "early");
  const passed = await sendTo("preflight", text("passed"));
  const after = await sendTo("download", text("passed"));
  host.write(HOST_PATHS.config, `${host.read(HOST_PATHS.config)}NO_SUCH_KEY=1\n`);
  const failing = await sendTo("preflight", text("failing"));
  host.write(HOST_PATHS.config, host.read(HOST_PATHS.config).replace("NO_SUCH_KEY=1\n", ""));
  const notReached = await call("download", "failing");

  expect([passed.result.outcome, after.result.outcome]).toEqual(["succeeded", "succeeded"]);
  expect(early).toMatchObject({ exitCode: 0, stdout: "" });
  expect(early.stderr).toContain("download of early is not reached: preflight came to no answer");
  expect(failing.result).toMatchObject({ outcome: "failed", code: "configurationInvalid" });
  expect(notReached).toMatchObject({ exitCode: 0, stdout: "" });
});

test("an unknown step is named with the nearest one, and nothing is answered", async () => {
  const answer = await host.run(HOST_PATHS.executable, "step", "prefligth", "--request", "x");
  expect(answer).toMatchObject({
    exitCode: 2,
    stdout: "",
    stderr: "autopatch step: unknown step prefligth. Did you mean preflight?\n",
  });
});

test("the same request twice, and twice at once, runs once and answers the same", async () => {
  const request = encodeRequest(requestFor(host.id, "preflight", 7));
  const [first, second] = await Promise.all([sendTo("preflight", request), sendTo("preflight", request)]);
  const third = await sendTo("preflight", request);
  expect(first.result).toMatchObject({ outcome: "succeeded", attempt: 7, data: { pending: 5 } });
  expect(second.result).toEqual(first.result);
  expect(third.result).toEqual(first.result);
  const starts = host.read(`${HOST_PATHS.logs}/step.log`).match(/preflight of run-1, attempt 7/g);
  expect(starts).toHaveLength(1);
});

test("a first call that was killed is taken over", async () => {
  const request = encodeRequest(requestFor(host.id, "preflight", 8, { policy: { lockWaitSeconds: 60 } }));
  const holder = await holdLock(host, "/var/lib/dpkg/lock-frontend");
  let said = "";
  const call = await host.sandbox.exec(HOST_PATHS.executable, ["step", "preflight", "--request", request], {
    deadlineMs: 30_000,
    env: { PATH, AWS_SSM_INSTANCE_ID: host.id, AWS_SSM_REGION_NAME: "eu-west-3" },
    onStderr: (chunk) => {
      said += chunk;
      const pid = /step\[(\d+)\]: waiting for perl/.exec(said)?.[1];
      if (pid !== undefined) void killInside(host, Number(pid));
    },
  });
  expect(call.stdout).toBe("");
  await holder.release();
  const { result } = await sendTo("preflight", request);
  expect(result).toMatchObject({ outcome: "succeeded", attempt: 8 });
  const files = await host.run("sh", "-c", `cd ${HOST_PATHS.state}/runs/${RUN} && ls preflight-8.*`);
  expect(files.stdout).toBe("preflight-8.claim-1\npreflight-8.claim-2\npreflight-8.json\n");
});

test("the full report lies in S3 under the caller's own prefix, and the result names it", async () => {
  const cloud = await openCloud();
  const config = `AWS_ENDPOINT_URL=${cloud.url}\nAWS_EC2_METADATA_SERVICE_ENDPOINT=${cloud.url}\nAWS_REGION=eu-west-3\n`;
  const before = host.read(HOST_PATHS.config);
  host.write(HOST_PATHS.config, config);
  try {
    const { result } = await host.step("preflight", { runId: "uploaded" });
    const key = `hosts/AROAEXAMPLE:${host.id}/runs/uploaded/preflight-1.json`;
    expect(result).toMatchObject({ outcome: "succeeded", reportKey: key });
    expect([...cloud.objects.keys()]).toEqual([`/autopatch-data/${key}`]);
    const report = StepReport.parse(JSON.parse(cloud.objects.get(`/autopatch-data/${key}`) ?? ""));
    expect(report.result).toEqual(result);
    expect(report.plan?.packages.map((p) => `${p.name} ${p.from} ${p.version}`)).toEqual([
      "libreport2 null 2.0-1",
      "metricsd 1.0-1 2.0-1",
      "reportd 1.0-1 2.0-1",
      "webapp 1.0-1 2.0-1",
      "webapp-common 1.0-1 2.0-1",
    ]);
    expect(report.timings.map((t) => t.part)).toEqual(["recover", "locks", "update", "plan"]);
    expect(report).toEqual(host.report("preflight", "uploaded"));
  } finally {
    host.write(HOST_PATHS.config, before);
    await cloud.close();
  }
});

/** The few answers an upload needs: the instance's metadata, who the caller is, and a place that keeps what is put. */
async function openCloud(): Promise<{ url: string; objects: Map<string, string>; close(): Promise<void> }> {
  const objects = new Map<string, string>();
  const server: Server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const url = request.url ?? "";
    if (url === "/latest/api/token") response.end("token");
    else if (url === "/latest/meta-data/iam/security-credentials/") response.end("role");
    else if (url === "/latest/meta-data/iam/security-credentials/role") {
      const Expiration = new Date(Date.now() + 3_600_000).toISOString();
      response.end(
        JSON.stringify({ Code: "Success", AccessKeyId: "ASIA", SecretAccessKey: "s", Token: "t", Expiration }),
      );
    } else if (request.method === "POST" && body.includes("Action=GetCallerIdentity")) {
      response.end(
        `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><UserId>AROAEXAMPLE:${host.id}</UserId><Account>1</Account><Arn>a</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`,
      );
    } else if (request.method === "PUT") {
      objects.set(decodeURIComponent(new URL(url, "http://x").pathname), body);
      response.end();
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    objects,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
