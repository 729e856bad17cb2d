import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DEFAULT_SENDING } from "../../contract/environment.ts";
import { DEFAULT_APPROVAL, DEFAULT_GATES } from "../../contract/gates.ts";
import { DEFAULT_POLICY } from "../../contract/request.ts";
import { DEFAULT_WAVES } from "../../contract/run.ts";
import { readConfig } from "../../infra/config.ts";
import { synthesise } from "../../infra/synthesise.ts";

const DEFAULTS = {
  stackName: "AutoPatch",
  fleet: "default",
  documentPrefix: "",
  tag: { key: "AutoPatchEnabled", value: "true" },
  environment: "dev",
  gates: DEFAULT_GATES,
  approval: DEFAULT_APPROVAL,
  schedules: [],
  fleetLockDays: 45,
  keepPoolDays: 730,
  waves: DEFAULT_WAVES,
  policy: DEFAULT_POLICY,
  sending: DEFAULT_SENDING,
  waitSliceSeconds: 900,
  rootVolumes: "leave",
  batchesAtOnce: 20,
  keepRunsDays: 400,
  instanceMetrics: false,
  dashboard: true,
  alarmDiskGigabytes: 10,
  alarmUpdateDays: 7,
  keepLogsDays: 365,
};

test("nothing has to be configured", () => {
  expect(readConfig(undefined)).toEqual(DEFAULTS);
});

test("what is given replaces one default at a time", () => {
  expect(readConfig({ fleet: "web", waves: { canary: 3 }, tag: { key: "Env" } })).toEqual({
    ...DEFAULTS,
    fleet: "web",
    waves: { ...DEFAULT_WAVES, canary: 3 },
    tag: { key: "Env", value: "true" },
  });
});

test.each([
  [{ wave: {} }, "context autopatch: unknown key wave, did you mean waves?"],
  [{ waves: { canari: 1 } }, "context autopatch: unknown key waves.canari, did you mean canary?"],
  [
    { policy: { operation: "fullupdate" } },
    'context autopatch: policy.operation is "fullupdate", did you mean full-update?',
  ],
  [{ waves: { canary: 0 } }, "context autopatch: waves.canary is 0: Too small: expected number to be >=1"],
  [
    { sending: { maxConcurrency: "half" } },
    'context autopatch: sending.maxConcurrency is "half": a number from 1, or a share such as 50%',
  ],
  [
    { documentPrefix: "Prod" },
    "context autopatch: documentPrefix is \"Prod\": empty, or letters, digits and '-' that end in '-'",
  ],
  [{ slackSecrt: "x" }, "context autopatch: unknown key slackSecrt, did you mean slackSecret?"],
  [{ alarmUpdateDays: 8 }, "context autopatch: alarmUpdateDays is 8: Too big: expected number to be <=7"],
  [7, "context autopatch: the configuration is 7: Invalid input: expected object, received number"],
])("refuses %j by name", (config, message) => {
  expect(() => readConfig(config)).toThrow(message);
});

test("the address of a webhook, put where its secret's name belongs, is refused and not repeated", () => {
  const address = "https://hooks.slack.com/services/T0/B0/hush";

  expect(() => readConfig({ slackSecret: address })).toThrow(
    "context autopatch: slackSecret is not the ARN or the name of a secret in Secrets Manager; never the webhook's address itself",
  );
  expect(() => readConfig({ slackSecret: address })).not.toThrow("hush");
});

test("a file is read, and named when it is wrong", () => {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "fleet.json");
  writeFileSync(file, '{"fleet":"db"}');

  expect(readConfig(file).fleet).toBe("db");

  writeFileSync(file, '{"flete":"db"}');
  expect(() => readConfig(file)).toThrow(`${file}: unknown key flete, did you mean fleet?`);
  expect(() => readConfig(join(folder, "none.json"))).toThrow(/none\.json: cannot be read as JSON: ENOENT/);
});

test("a wrong configuration is refused before anything is written", () => {
  const folder = mkdtempSync(join(tmpdir(), "autopatch-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));

  expect(() => synthesise(folder, { fleet: "" })).toThrow(/fleet is ""/);
  expect(readdirSync(folder)).toEqual([]);
});
