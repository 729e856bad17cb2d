import { basename } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TAGS } from "../../contract/names.ts";
import { type Imds, openImds } from "../../local/endpoints/imds/imds.ts";
import { PATH } from "../agent/bench.ts";
import { must, openSeedHost, type SeedHost } from "./host.ts";
import { NEW, OLD } from "./packages.ts";
import { block } from "./text.ts";

const INSTANCE = "i-0123456789abcdef0";
const REGION = "eu-west-3";
let host: SeedHost;
let imds: Imds;
beforeAll(async () => {
  imds = await openImds({
    instanceId: INSTANCE,
    account: "111122223333",
    region: REGION,
    role: "autopatch-host",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" },
    // The seed's scripts ask as version 1 does.
    httpTokens: "optional",
  });
  host = await openSeedHost();
  await host.bridge("imds", "169.254.169.254:80", imds.url);
  await must(host, "ip", "address", "add", "169.254.169.254/32", "dev", "lo");
  for (const name of ["aws", "sleep"]) host.double(name);
});
afterAll(async () => {
  await host?.close();
  await imds?.close();
});

/** The commands that the Lambda sends, by operation. */
function lambdaCommands(): Record<string, string> {
  const found = block("LAMBDA FUNCTION FOR AUTOMATION").matchAll(/^\s+'([a-z-]+)': \['(.*)'\],?$/gm);
  return Object.fromEntries([...found].map(([, operation, command]) => [operation, command]));
}

/** As AWS-RunShellScript does: sh, with the environment the SSM agent gives and no HOME. */
async function runCommand(operation: string) {
  const env = { PATH, AWS_SSM_INSTANCE_ID: INSTANCE, AWS_SSM_REGION_NAME: REGION };
  const command = lambdaCommands()[operation] ?? "";
  return await host.booted.exec("sh", ["-c", command], { deadlineMs: 180_000, cwd: "/usr/bin", env });
}

const versions = async () => [await host.version("nginx"), await host.version("payroll")];

test("the Lambda's three commands update, go back and update again", async () => {
  const updated = await runCommand("auto-update");
  const first = await versions();
  const back = await runCommand("rollback");
  const second = await versions();
  const again = await runCommand("full-update");

  expect(Object.keys(lambdaCommands())).toEqual(["auto-update", "full-update", "rollback"]);
  expect([updated.exitCode, back.exitCode, again.exitCode], `${updated.stderr}${back.stderr}${again.stderr}`).toEqual([
    0, 0, 0,
  ]);
  expect([first, second, await versions()]).toEqual([
    [NEW, NEW],
    [OLD, OLD],
    [NEW, NEW],
  ]);
  expect(back.stdout).toContain("the host is identical to what it was.\n");
});

/** Each `Name=Value,…` of a put-metric-data call. */
function metrics(call: readonly string[]): { name: string; value: string; dimensions: string }[] {
  return call.flatMap((word) => {
    const [, name, value, dimensions] = /^MetricName=(\w+),Value=(.*),Unit=\w+,Dimensions=(.*)$/.exec(word) ?? [];
    return name === undefined ? [] : [{ name, value: value ?? "", dimensions: dimensions ?? "" }];
  });
}

test("the metrics publisher's pipelines give what show-status says", async () => {
  await must(host, "sh", "-c", 'echo "a test: SÉCURITÉ COMPROMISE" >> /var/log/autopatch/autopatch-manager.log');
  const ended = await host.bash(`${block("CLOUDWATCH METRICS PUBLISHER")}\npublish_autopatch_metrics\n`);
  const [operations = [], security = []] = host.calls("aws");
  const { figures } = JSON.parse(
    (await must(host, "/usr/local/bin/autopatch-manager.sh", "show-status", "--format=json")).stdout,
  );

  expect(ended.stderr).toBe("");
  const published = metrics(operations);
  expect(published.map(({ name, dimensions }) => [name, dimensions])).toEqual([
    ["TotalPackages", `InstanceId=${INSTANCE}`],
    ["BackupCount", `InstanceId=${INSTANCE}`],
    ["DiskUsagePercent", `InstanceId=${INSTANCE}`],
  ]);
  expect(operations).toEqual(expect.arrayContaining(["AutoPatch/Operations", REGION]));
  expect(Number(published[0]?.value)).toBe(figures.totalPackages);
  expect(Number(published[1]?.value)).toBe(figures.backupCount);
  // df rounds up.
  expect(Number(published[2]?.value) - figures.diskUsagePercent).toBeGreaterThanOrEqual(0);
  expect(Number(published[2]?.value) - figures.diskUsagePercent).toBeLessThan(1.1);
  // grep -c says the number of each log file, the seed passes it on as it is.
  const counted = [...security.join(" ").matchAll(/\.log:(\d+)/g)].reduce((sum, [, one]) => sum + Number(one), 0);
  expect([counted, figures.securityViolations]).toEqual([1, 1]);
  expect(security).toContain("AutoPatch/Operations/Security");
  await must(host, "sed", "-i", "/COMPROMISE/d", "/var/log/autopatch/autopatch-manager.log");
});

async function lifecycle(action: string) {
  const script = `${block("CLOUDWATCH METRICS PUBLISHER")}\n${block("ASG LIFECYCLE HOOKS")}`;
  const ended = await host.bash(`${script}\nhandle_asg_lifecycle ${action} ${INSTANCE} web-group launch-hook\n`);
  return { ...ended, calls: host.calls("aws") };
}

const COMPLETED = [
  ...["autoscaling", "complete-lifecycle-action", "--lifecycle-action-result", "CONTINUE"],
  ...["--lifecycle-hook-name", "launch-hook", "--auto-scaling-group-name", "web-group", "--instance-id", INSTANCE],
];

test("a launching instance is made ready, looks what is pending, publishes and continues", async () => {
  await must(host, "rm", "/usr/local/bin/download.sh");
  const { stdout, stderr, calls } = await lifecycle("LAUNCH");

  expect(host.calls("sleep")).toEqual([["60"]]);
  expect(stdout, stderr).toContain("AutoPatch is ready: ");
  expect(stdout).toContain("No updates are pending.\n");
  expect(host.read("/etc/environment")).toContain(`AWS_REGION=${REGION}\nINSTANCE_ID=${INSTANCE}\n`);
  const link = await must(host, "readlink", "/usr/local/bin/download.sh");
  expect(link.stdout).toBe("/usr/lib/autopatch/bin/download.sh\n");
  const timer = await host.run("systemctl", "is-active", "autopatch-maintenance-daily.timer");
  expect(timer.stdout).toBe("active\n");
  expect(calls.map((call) => call.slice(0, 2).join(" "))).toEqual([
    "cloudwatch put-metric-data",
    "cloudwatch put-metric-data",
    "autoscaling complete-lifecycle-action",
  ]);
  expect(calls.at(-1)).toEqual(COMPLETED);
});

test("a terminating instance keeps a last backup, which the upload's pattern takes whole", async () => {
  const { stdout, stderr, calls } = await lifecycle("TERMINATE");
  const latest = basename((await must(host, "readlink", "/var/tmp/autopatch_backups/latest")).stdout.trim());
  const files = (await must(host, "sh", "-c", "cd /var/tmp/autopatch_backups && find . -type f -printf '%P\\n'"))
    .stdout;

  expect(stdout, stderr).toContain(`Backup made as asked: ${latest}, `);
  const [upload = [], completed] = calls;
  expect(upload).toEqual([
    ...["s3", "sync", "/var/tmp/autopatch_backups/", `s3://autopatch-backups-bucket/${INSTANCE}/`],
    ...["--exclude=*", "--include=backup_*"],
  ]);
  expect(completed).toEqual(COMPLETED);
  // aws s3 holds the pattern against the whole path below the folder, where * also stands for slashes.
  const included = upload.at(-1)?.split("=")[1] ?? "";
  const pattern = new RegExp(`^${included.replaceAll("*", ".*")}$`);
  const taken = files
    .trim()
    .split("\n")
    .filter((file) => pattern.test(file));
  const whole = (await must(host, "ls", `/var/tmp/autopatch_backups/${latest}`)).stdout.trim().split("\n");
  expect(taken.filter((file) => file.startsWith(`${latest}/`)).map((file) => file.split("/")[1])).toEqual(
    expect.arrayContaining(whole),
  );
});

test("the tags that user data gives are those by which hosts are found", () => {
  expect(block("USER DATA SCRIPT")).toContain(`Key=${TAGS.enabled},Value=true Key=${TAGS.version},`);
});
