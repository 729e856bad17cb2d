import { describe, expect, test } from "vitest";
import { configKeys, defaultConfig } from "../../../agent/build/default-config.ts";
import { hostPolicy, parseConfig } from "../../../agent/host/config.ts";
import { DEFAULT_POLICY } from "../../../contract/request.ts";

test("an empty configuration is all defaults, and its policy the default policy", () => {
  const config = parseConfig("# nothing\n\n");
  expect(config).toEqual({
    AUTOPATCH_LOG_LEVEL: "info",
    AUTOPATCH_BACKUP_ENABLED: true,
    AUTOPATCH_BACKUP_RETENTION_DAYS: 30,
    AUTOPATCH_AUTO_UPDATE: false,
    AUTOPATCH_HOME: "/usr/local/bin",
    AUTOPATCH_CRITICAL_PACKAGES: ["apache2", "nginx", "mysql", "postgresql"],
    AUTOPATCH_SECURITY_ONLY: false,
    AUTOPATCH_ALLOW: [],
    AUTOPATCH_DENY: [],
    AUTOPATCH_MINIMUM_AGE_DAYS: 0,
    AUTOPATCH_CONFFILES: "keep",
    AUTOPATCH_REHEARSE: "whenPossible",
    AUTOPATCH_PREVIOUS_DEBS: "bestEffort",
    AUTOPATCH_CONFFILES_KEEP: [],
    AUTOPATCH_CONFFILES_REPLACE: [],
    AUTOPATCH_REBOOT: "never",
    AUTOPATCH_TRIAL_SECONDS: 3_600,
    AUTOPATCH_PROBE_HTTP: [],
    AUTOPATCH_PROBE_SECONDS: 10,
    AUTOPATCH_LOCK_WAIT_SECONDS: 300,
    AUTOPATCH_MINIMUM_FREE_PERCENT: 20,
    AUTOPATCH_MAXIMUM_METADATA_AGE_DAYS: 400,
    AUTOPATCH_CLOUDWATCH: "off",
    AUTOPATCH_PROMETHEUS_FILE: "/var/lib/node_exporter/textfile_collector/autopatch.prom",
    AUTOPATCH_MIRROR_LAG_HOURS: 24,
    AUTOPATCH_FLEET_LOCK_KEY: "/etc/autopatch/fleet-lock.pem",
    AUTOPATCH_REQUIRE_FLEET_LOCK: false,
  });
  expect(hostPolicy(config, "full-update")).toEqual({ ...DEFAULT_POLICY, conffileRules: [] });
});

test("values are read with quotes and without", () => {
  const config = parseConfig(
    `AUTOPATCH_LOG_LEVEL=INFO\nAUTOPATCH_CRITICAL_PACKAGES="haproxy, redis"\nexport AWS_ENDPOINT_URL='http://127.0.0.1:4566'\nAUTOPATCH_BACKUP_ENABLED=false\n`,
  );
  expect(config).toMatchObject({
    AUTOPATCH_LOG_LEVEL: "info",
    AUTOPATCH_CRITICAL_PACKAGES: ["haproxy", "redis"],
    AWS_ENDPOINT_URL: "http://127.0.0.1:4566",
    AUTOPATCH_BACKUP_ENABLED: false,
  });
  const lists = parseConfig(
    'AUTOPATCH_PROBE_HTTP="http://127.0.0.1/a,b https://localhost/health-check"\nAUTOPATCH_CONFFILES_REPLACE="/etc/a.conf /etc/b.d/*"\nAUTOPATCH_CONFFILES_KEEP=/etc/b.d/c\n',
  );
  expect(lists.AUTOPATCH_PROBE_HTTP).toEqual(["http://127.0.0.1/a,b", "https://localhost/health-check"]);
  expect(hostPolicy(lists, "auto-update").conffileRules).toEqual([
    { path: "/etc/b.d/c", action: "keep" },
    { path: "/etc/a.conf", action: "replace" },
    { path: "/etc/b.d/*", action: "replace" },
  ]);
});

test.each([
  ["a line that is none", "hello world", /autopatch\.conf: line 1: not KEY=VALUE: "hello world"/],
  ["an unknown key", "\nCOLOUR_OF_SKY=1", /line 2: unknown key COLOUR_OF_SKY, known: AUTOPATCH_LOG_LEVEL, /],
  [
    "a key written wrong",
    "AUTOPATCH_BACKUPS_ENABLED=true",
    /line 1: unknown key AUTOPATCH_BACKUPS_ENABLED, did you mean AUTOPATCH_BACKUP_ENABLED\?$/,
  ],
  ["a key in small letters", "aws_region=eu-west-3", /line 1: unknown key aws_region, did you mean AWS_REGION\?$/],
  ["a key of every object", "constructor=1", /line 1: unknown key constructor, known: /],
  ["a home that is no path", "AUTOPATCH_HOME=bin", /line 1: AUTOPATCH_HOME=bin: an absolute path$/],
  ["a key twice", "AWS_REGION=eu-west-3\nAWS_REGION=eu-west-1", /line 2: AWS_REGION stands on line 1 already/],
  ["days out of range", "AUTOPATCH_BACKUP_RETENTION_DAYS=0", /line 1: AUTOPATCH_BACKUP_RETENTION_DAYS=0: /],
  ["no number", "AUTOPATCH_LOCK_WAIT_SECONDS=soon", /line 1: AUTOPATCH_LOCK_WAIT_SECONDS=soon: a whole number/],
  ["a Region that is none", "AWS_REGION=paris", /line 1: AWS_REGION=paris: a Region such as eu-west-3/],
  [
    "a pattern that is none",
    'AUTOPATCH_DENY="nginx /x/"',
    /line 1: AUTOPATCH_DENY=nginx \/x\/: a package name, or a glob/,
  ],
  [
    "a probe that is no URL",
    "AUTOPATCH_PROBE_HTTP=localhost/health",
    /line 1: AUTOPATCH_PROBE_HTTP=localhost\/health: /,
  ],
  ["a trial too short", "AUTOPATCH_TRIAL_SECONDS=5", /line 1: AUTOPATCH_TRIAL_SECONDS=5: /],
  [
    "a topic that is none",
    "AUTOPATCH_ALERT_TOPIC=autopatch",
    /line 1: AUTOPATCH_ALERT_TOPIC=autopatch: the ARN of an SNS topic that is no FIFO, such as arn:/,
  ],
  [
    "a FIFO topic, which wants more than a message",
    "AUTOPATCH_ALERT_TOPIC=arn:aws:sns:eu-west-3:123456789012:autopatch.fifo",
    /line 1: AUTOPATCH_ALERT_TOPIC=arn:aws:sns:eu-west-3:123456789012:autopatch\.fifo: the ARN of/,
  ],
  ["an address of another kind", "AWS_ENDPOINT_URL=file:///etc", /line 1: AWS_ENDPOINT_URL=file:\/\/\/etc: /],
])("%s is refused with its line", (_name, text, message) => {
  expect(() => parseConfig(text)).toThrow(
    expect.objectContaining({ code: "configurationInvalid", message: expect.stringMatching(message) }),
  );
});

test("several wrong lines are named at once", () => {
  const text = "AWS_REGION=paris\n\nAUTOPATCH_BACKUP_ENABLED=yes\nhello";
  expect(() => parseConfig(text)).toThrow(
    /autopatch\.conf: line 1: AWS_REGION=paris: .*; line 3: AUTOPATCH_BACKUP_ENABLED=yes: .*; line 4: not KEY=VALUE: "hello"$/,
  );
});

describe("the environment", () => {
  test("says the seed's four keys over the file", () => {
    const environment = {
      AUTOPATCH_LOG_LEVEL: "DEBUG",
      AUTOPATCH_BACKUP_ENABLED: "false",
      AUTOPATCH_AUTO_UPDATE: "true",
      AUTOPATCH_HOME: "/opt/bin",
    };
    expect(parseConfig("AUTOPATCH_LOG_LEVEL=error\nAUTOPATCH_BACKUP_ENABLED=true\n", environment)).toMatchObject({
      AUTOPATCH_LOG_LEVEL: "debug",
      AUTOPATCH_BACKUP_ENABLED: false,
      AUTOPATCH_AUTO_UPDATE: true,
      AUTOPATCH_HOME: "/opt/bin",
    });
  });

  test("says nothing else: neither policy, nor addresses, nor what Kubernetes sets for a service called autopatch", () => {
    const environment = {
      AUTOPATCH_MAXIMUM_METADATA_AGE_DAYS: "3000",
      AUTOPATCH_DENY: "openssl",
      AWS_ENDPOINT_URL: "http://127.0.0.1:9/",
      AUTOPATCH_SERVICE_HOST: "10.0.0.1",
      AUTOPATCH_LOG_LEVEL: "",
    };
    expect(parseConfig("", environment)).toEqual(parseConfig(""));
  });

  test("is named when it is wrong", () => {
    expect(() => parseConfig("AUTOPATCH_BACKUP_ENABLED=true\n", { AUTOPATCH_BACKUP_ENABLED: "maybe" })).toThrow(
      /autopatch\.conf: environment: AUTOPATCH_BACKUP_ENABLED=maybe: /,
    );
  });
});

test("the shipped file names every key with its default, or an example", () => {
  const shipped = defaultConfig();
  expect(parseConfig(shipped)).toEqual(parseConfig(""));
  const config: Record<string, unknown> = parseConfig(shipped.replace(/^#(?=[A-Z0-9_]+=)/gm, ""));
  const defaults: Record<string, unknown> = parseConfig("");
  const examples = configKeys().filter(({ hasDefault }) => !hasDefault);
  expect(examples.map(({ name }) => name)).toEqual([
    "AUTOPATCH_ALERT_TOPIC",
    "AUTOPATCH_BUCKET",
    "AUTOPATCH_FLEET",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
  ]);
  expect(config).toEqual({ ...defaults, ...Object.fromEntries(examples.map(({ name, written }) => [name, written])) });
});
