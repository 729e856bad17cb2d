import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Exec, exec } from "../../../agent/host/exec.ts";
import { accessSettings, readMachineArchive, signedByOfStanza } from "../../../local/hosts/machine-archive.ts";

let etc: string;

beforeEach(() => {
  etc = mkdtempSync(join(tmpdir(), "archive-test-"));
  for (const folder of ["sources.list.d", "apt.conf.d", "preferences.d", "trusted.gpg.d"]) mkdirSync(join(etc, folder));
  writeFileSync(join(etc, "apt.conf"), `Dir::Etc "${etc}";\nAcquire::http::Proxy "http://proxy.invalid:3128";\n`);
});

afterEach(() => rmSync(etc, { recursive: true }));

/** The real apt, told to read its configuration from the folder of this test. */
const apt: Exec = (file, args, options) =>
  exec(file, args, { ...options, env: { PATH: "/usr/bin:/bin", APT_CONFIG: join(etc, "apt.conf") } });

test("mirrors and keyring come from one-line sources, whatever else is configured", async () => {
  writeFileSync(
    join(etc, "sources.list"),
    [
      "# comment",
      "deb [arch=amd64] http://vendor.invalid/apt stable main",
      "deb [signed-by=/usr/share/keyrings/mine.gpg] http://mirror.invalid/debian bookworm main contrib",
      "deb http://mirror.invalid/debian-security bookworm-security main",
    ].join("\n"),
  );

  const archive = await readMachineArchive(apt, {});

  expect(archive).toEqual({
    mirror: "http://mirror.invalid/debian/",
    security: "http://mirror.invalid/debian-security/",
    signedBy: "/usr/share/keyrings/mine.gpg",
    access: ['Acquire::http::Proxy "http://proxy.invalid:3128";'],
  });
});

test("mirrors and an inline key come from deb822 sources", async () => {
  writeFileSync(
    join(etc, "sources.list.d", "debian.sources"),
    `Types: deb
URIs: http://mirror.invalid/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/other.gpg

Types: deb
URIs: http://mirror.invalid/debian
Suites: trixie trixie-updates
# a comment
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDME
 -----END PGP PUBLIC KEY BLOCK-----
`,
  );

  const archive = await readMachineArchive(apt, {});

  expect(archive).toMatchObject({
    mirror: "http://mirror.invalid/debian/",
    security: "http://mirror.invalid/debian-security/",
    signedBy: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n",
  });
});

test("without a Debian archive the failure says what is there instead, and what to add", async () => {
  writeFileSync(join(etc, "sources.list"), "deb http://mirror.invalid/ubuntu noble main\n");

  await expect(readMachineArchive(apt, {})).rejects.toMatchObject({
    code: "archiveMissing",
    message:
      "apt's configuration names no Debian archive with the pockets main and security; it names http://mirror.invalid/ubuntu/ noble.\n" +
      "  Give /etc/apt/sources.list.d a source for a Debian release and for its -security pocket.",
  });
});

test("a stanza without Signed-By has none, and one with several paths gives the first", () => {
  const text =
    "Types: deb\nURIs: http://a.invalid\n\n\nTypes: deb\nSigned-By: /k/one.gpg /k/two.gpg\nURIs: http://b.invalid\n";

  expect([signedByOfStanza(text, 1), signedByOfStanza(text, 2), signedByOfStanza(text, 3)]).toEqual([
    undefined,
    "/k/one.gpg",
    undefined,
  ]);
});

test("of apt's settings those that say how to reach the archive are kept; a proxy of the environment counts when apt has none", () => {
  const dump = [
    'Acquire::http::Proxy "http://proxy.invalid:3128";',
    'Acquire::http::Proxy::direct.invalid "DIRECT";',
    'Acquire::http::Proxy-Auto-Detect "/usr/local/bin/find-proxy";',
    'Acquire::https::Verify-Peer "true";',
    'Acquire::Retries "3";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::Languages "de";',
    'APT::Install-Recommends "false";',
    'DPkg::Post-Invoke:: "rm -rf /";',
  ].join("\n");

  expect(
    accessSettings(dump, { http_proxy: "http://ignored.invalid", https_proxy: "http://used.invalid:8080" }),
  ).toEqual([
    'Acquire::http::Proxy "http://proxy.invalid:3128";',
    'Acquire::http::Proxy::direct.invalid "DIRECT";',
    'Acquire::https::Verify-Peer "true";',
    'Acquire::Retries "3";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::https::Proxy "http://used.invalid:8080";',
  ]);
});
