import { expect, test } from "vitest";
import { conffileAction, conffileAnswer } from "../../../agent/patch/conffiles.ts";

const rules = [
  { path: "/etc/app/keep.conf", action: "keep" as const },
  { path: "/etc/app/*", action: "replace" as const },
  { path: "/etc/na?e", action: "replace" as const },
];

test.each([
  ["/etc/app/keep.conf", "keep"],
  ["/etc/app/other.conf", "replace"],
  ["/etc/app/deep/er.conf", "replace"],
  ["/etc/name", "replace"],
  ["/etc/nae", "keep"],
  ["/etc/application", "keep"],
  ["/srv/etc/app/other.conf", "keep"],
])("%s: the first rule that matches counts, else what holds for all: %s", (path, action) => {
  expect(conffileAction(path, { conffiles: "keep", conffileRules: rules })).toBe(action);
});

test("dpkg is told to keep wherever rules differ by path", () => {
  expect(conffileAnswer({ conffiles: "replace", conffileRules: rules })).toBe("keep");
  expect(conffileAnswer({ conffiles: "replace", conffileRules: [] })).toBe("replace");
  expect(conffileAnswer({ conffiles: "replace" })).toBe("replace");
});
