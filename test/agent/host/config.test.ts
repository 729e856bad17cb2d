import { expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../../agent/build/default-config.ts";
import { hostPolicy, parseConfig } from "../../../agent/host/config.ts";
import { DEFAULT_POLICY } from "../../../contract/request.ts";

test("an empty configuration is all defaults, and its policy the default policy", () => {
  const config = parseConfig("# nothing\n\n");
  expect(config).toEqual({
    AUTOPATCH_LOG_LEVEL: "info",
    AUTOPATCH_BACKUP_ENABLED: true,
    AUTOPATCH_BACKUP_RETENTION_DAYS: 30,
    AUTOPATCH_CRITICAL_PACKAGES: ["apache2", "nginx", "mysql", "postgresql"],
    AUTOPATCH_SECURITY_ONLY: false,
    AUTOPATCH_ALLOW: [],
    AUTOPATCH_DENY: [],
    AUTOPATCH_MINIMUM_AGE_DAYS: 0,
    AUTOPATCH_CONFFILES: "keep",
    AUTOPATCH_LOCK_WAIT_SECONDS: 300,
    AUTOPATCH_MINIMUM_FREE_PERCENT: 20,
    AUTOPATCH_MAXIMUM_METADATA_AGE_DAYS: 400,
  });
  expect(hostPolicy(config, "full-update")).toEqual(DEFAULT_POLICY);
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
});

test.each([
  ["a line that is none", "hello world", /autopatch\.conf: line 1: not KEY=VALUE: "hello world"/],
  ["an unknown key", "\nAUTOPATCH_X=1", /line 2: unknown key AUTOPATCH_X\. Keys: AUTOPATCH_LOG_LEVEL, /],
  ["a key twice", "AWS_REGION=eu-west-3\nAWS_REGION=eu-west-1", /line 2: AWS_REGION stands on line 1 already/],
  ["days out of range", "AUTOPATCH_BACKUP_RETENTION_DAYS=0", /line 1: AUTOPATCH_BACKUP_RETENTION_DAYS=0: /],
  ["no number", "AUTOPATCH_LOCK_WAIT_SECONDS=soon", /line 1: AUTOPATCH_LOCK_WAIT_SECONDS=soon: a whole number/],
  ["a Region that is none", "AWS_REGION=paris", /line 1: AWS_REGION=paris: a Region such as eu-west-3/],
  [
    "a pattern that is none",
    'AUTOPATCH_DENY="nginx /x/"',
    /line 1: AUTOPATCH_DENY=nginx \/x\/: a package name, or a glob/,
  ],
  ["an address of another kind", "AWS_ENDPOINT_URL=file:///etc", /line 1: AWS_ENDPOINT_URL=file:\/\/\/etc: /],
])("%s is refused with its line", (_name, text, message) => {
  expect(() => parseConfig(text)).toThrow(
    expect.objectContaining({ code: "configurationInvalid", message: expect.stringMatching(message) }),
  );
});

test("the shipped file names every key with its default", () => {
  const keys = DEFAULT_CONFIG.replace(/^#(?=[A-Z0-9_]+=)/gm, "");
  const { AWS_REGION, AWS_ENDPOINT_URL, AWS_EC2_METADATA_SERVICE_ENDPOINT, ...defaults } = parseConfig(keys);
  expect(defaults).toEqual(parseConfig(""));
  expect([AWS_REGION, AWS_ENDPOINT_URL, AWS_EC2_METADATA_SERVICE_ENDPOINT].every((value) => value !== undefined)).toBe(
    true,
  );
  expect(parseConfig(DEFAULT_CONFIG)).toEqual(parseConfig(""));
});
