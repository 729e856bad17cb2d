import { expect, test } from "vitest";
import { configTests } from "../../../agent/patch/config-tests.ts";
import { judgeTests } from "../../../agent/patch/rehearsal-tests.ts";
import { notOfTests, problemOf } from "../../../agent/patch/rehearse.ts";

const there = (...paths: string[]) => {
  const all = new Set(paths);
  return (path: string) => all.has(path);
};
const lines = (exists: (path: string) => boolean, daemons: string[] = []) =>
  configTests(exists, daemons).map(({ name, program, args }) => [name, program, ...args].join(" "));

test("a test is run where both the program and its configuration are", () => {
  const exists = there("/usr/sbin/sshd", "/etc/ssh/sshd_config", "/usr/sbin/nginx", "/etc/haproxy/haproxy.cfg");

  expect(lines(exists)).toEqual(["sshd /usr/sbin/sshd -t"]);
});

test("each version of PHP has its own", () => {
  const programs = ["php-fpm7.4", "php-fpm8.2", "php-fpm", "phpquery"];
  const exists = there(
    ...programs.map((name) => `/usr/sbin/${name}`),
    "/etc/php/7.4/fpm/php-fpm.conf",
    "/etc/php/8.2/fpm/php-fpm.conf",
  );

  expect(lines(exists, programs)).toEqual(["php-fpm7.4 /usr/sbin/php-fpm7.4 -t", "php-fpm8.2 /usr/sbin/php-fpm8.2 -t"]);
});

test("MariaDB's server, which goes by MySQL's name and knows no such test, is not asked; BIND's checker is found in either place", () => {
  const mysql = ["/usr/sbin/mysqld", "/etc/mysql/my.cnf"];
  const bind = ["/etc/bind/named.conf", "/usr/bin/named-checkconf"];

  expect(lines(there(...mysql))).toEqual(["mysqld /usr/sbin/mysqld --validate-config --user=mysql"]);
  expect(lines(there(...mysql, "/usr/sbin/mariadbd"))).toEqual([]);
  expect(lines(there(...bind))).toEqual(["named /usr/bin/named-checkconf"]);
  expect(lines(there(...bind, "/usr/sbin/named-checkconf"))).toEqual(["named /usr/sbin/named-checkconf"]);
});

test("what failed before the change is told and not blamed on it; what fails only after it is", () => {
  const ran = (name: string, passed: boolean) => ({ name, passed, evidence: `${name} says`, durationMs: 5 });
  const after = { tests: [ran("nginx", true), ran("named", false), ran("haproxy", false)] };
  const before = { tests: [ran("named", true), ran("haproxy", false)] };

  const tests = judgeTests(after, before);

  expect(tests.map(({ name, outcome }) => [name, outcome])).toEqual([
    ["nginx", "passed"],
    ["named", "failed"],
    ["haproxy", "failedBefore"],
  ]);
  expect(problemOf({ tests, differences: [] })).toBe("the test of named fails after the change: named says");
  expect(problemOf({ tests: tests.slice(0, 1), differences: ["/etc/x: content, was a, is b"] })).toBe(
    "the way back leaves 1 differences: /etc/x: content, was a, is b",
  );
  expect(problemOf({ tests: tests.slice(0, 1), differences: [] })).toBe(null);
});

test("what a test itself left behind is no difference of the way back, nor is the time of the folder around it", () => {
  const differs = (path: string, what: "mtime" | "mode" | "content") => ({ path, what, words: `${path} ${what}` });
  const differences = [
    differs("/var/lib/nginx", "mtime"),
    differs("/var/lib/nginx", "mode"),
    differs("/var/lib/nginx/body", "mode"),
    differs("/var/lib", "mtime"),
    differs("/etc/nginx/nginx.conf", "content"),
  ];

  const left = notOfTests(differences, ["/var/lib/nginx/body", "/var/lib/nginx/proxy"]);

  expect(left.map(({ words }) => words)).toEqual([
    "/var/lib/nginx mode",
    "/var/lib mtime",
    "/etc/nginx/nginx.conf content",
  ]);
});
