import { expect, test } from "vitest";
import { kernelReason } from "../../../agent/patch/reboot.ts";

const image = (name: string, version: string, status = "ii ") => ({
  name,
  version,
  status,
  architecture: "amd64",
  installedSizeKiB: 1,
});
const OLD = image("linux-image-6.1.0-34-amd64", "6.1.135-1");
const NEW = image("linux-image-6.1.0-35-amd64", "6.1.137-1");
const META = image("linux-image-amd64", "6.1.999-1");
const running = (packageVersion: string | null) => ({ release: "6.1.0-34-amd64", packageVersion });

test.each([
  ["the newest runs", running("6.1.135-1"), [OLD, META], null],
  [
    "another release is newer",
    running("6.1.135-1"),
    [OLD, NEW, META],
    "kernel 6.1.0-35-amd64 (6.1.137-1) is installed",
  ],
  ["the same release was built anew", running("6.1.129-1"), [OLD], "kernel 6.1.0-34-amd64 (6.1.135-1) is installed"],
  ["the kernel does not tell its package", running(null), [OLD], null],
  ["the newer one is removed but for its configuration", running("6.1.135-1"), [OLD, { ...NEW, status: "rc " }], null],
  ["debugging symbols are no kernel", running("6.1.135-1"), [OLD, { ...NEW, name: `${NEW.name}-dbg` }], null],
  [
    "Ubuntu's unsigned image counts",
    running("6.1.135-1"),
    [OLD, { ...NEW, name: "linux-image-unsigned-6.1.0-35-amd64" }],
    "kernel 6.1.0-35-amd64",
  ],
  ["a kernel that no package brought", { release: "6.18.0-cloud", packageVersion: null }, [OLD, NEW], null],
])("%s", (_, kernel, packages, message) => {
  const reason = kernelReason(kernel, packages);

  if (message === null) expect(reason).toBeNull();
  else expect(reason).toMatchObject({ code: "kernel", message: expect.stringContaining(message) });
});
