import { expect, test } from "vitest";
import { parseDetails, parsePolicies, parseSimulation, parseUris } from "../../../agent/host/apt-output.ts";

// Lines as apt 2.6 and 2.4 print them under LC_ALL=C.
test("a simulation's lines are read, with foreign architectures, new packages, several origins and none", () => {
  const text = `NOTE: This is only a simulation!
Reading package lists...
Remv old-lib [0.9-1]
Remv wine32:i386 [8.0~repack-4]
Inst libc6 [2.36-9+deb12u10] (2.36-9+deb12u13 Debian:12.11/stable, Debian-Security:12/stable-security [amd64]) [libc6:i386 on libc6:amd64] []
Inst libc6:i386 [2.36-9+deb12u10] (2.36-9+deb12u13 Debian:12.11/stable [i386])
Inst tzdata [2026b-0+deb12u1] (2026f-0+deb12u1 Debian-Security:12/oldstable-security [all])
Inst linux-image-6.1.0-40-cloud-amd64 (6.1.153-1 Debian-Security:12/stable-security [amd64])
Inst local-tool [1:1] (1:2 [amd64])
Conf libc6 (2.36-9+deb12u13 Debian:12.11/stable [amd64])
`;
  expect(parseSimulation(text)).toEqual({
    installs: [
      {
        name: "libc6",
        architecture: "amd64",
        from: "2.36-9+deb12u10",
        version: "2.36-9+deb12u13",
        origins: ["Debian:12.11/stable", "Debian-Security:12/stable-security"],
      },
      {
        name: "libc6",
        architecture: "i386",
        from: "2.36-9+deb12u10",
        version: "2.36-9+deb12u13",
        origins: ["Debian:12.11/stable"],
      },
      {
        name: "tzdata",
        architecture: "all",
        from: "2026b-0+deb12u1",
        version: "2026f-0+deb12u1",
        origins: ["Debian-Security:12/oldstable-security"],
      },
      {
        name: "linux-image-6.1.0-40-cloud-amd64",
        architecture: "amd64",
        from: null,
        version: "6.1.153-1",
        origins: ["Debian-Security:12/stable-security"],
      },
      { name: "local-tool", architecture: "amd64", from: "1:1", version: "1:2", origins: [] },
    ],
    removals: [
      { name: "old-lib", architecture: null, version: "0.9-1" },
      { name: "wine32", architecture: "i386", version: "8.0~repack-4" },
    ],
  });
});

test.each(["Inst libc6 2.36", "Remv libc6"])("a line of another shape is an error: %s", (line) => {
  expect(() => parseSimulation(`${line}\n`)).toThrow(`apt-get -s: cannot read "${line}"`);
});

test("addresses are read with their SHA-256; another hash is none", () => {
  const sha = "0123456789abcdef".repeat(4);
  const text = `Need to get 4665 kB of archives.
'http://m/pool/p/perl_5.36.0-7%2bdeb12u4_amd64.deb' perl_5.36.0-7+deb12u4_amd64.deb 1609596 SHA256:${sha}
'http://m/x.deb' x_1%3a2_all.deb 12 MD5Sum:0123
'file:/srv/y.deb' y_1_all.deb 7 ${""}
`;
  expect(parseUris(text)).toEqual([
    {
      uri: "http://m/pool/p/perl_5.36.0-7%2bdeb12u4_amd64.deb",
      file: "perl_5.36.0-7+deb12u4_amd64.deb",
      size: 1609596,
      sha256: sha,
    },
    { uri: "http://m/x.deb", file: "x_1%3a2_all.deb", size: 12, sha256: null },
    { uri: "file:/srv/y.deb", file: "y_1_all.deb", size: 7, sha256: null },
  ]);
});

test("policies are read: candidate, priorities, pins, phasing and sources", () => {
  const text = `apt:
  Installed: 2.6.1
  Candidate: 2.6.2
  Version table:
     2.6.2 500 (phased 20%)
        500 http://mirror.example/debian-security bookworm-security/main amd64 Packages
 *** 2.6.1 100
        100 /var/lib/dpkg/status
libc6:i386:
  Installed: 2.36-9
  Candidate: (none)
  Version table:
     2.37-1 -10
        500 http://mirror.example/debian bookworm/main i386 Packages
`;
  expect(parsePolicies(text)).toEqual([
    {
      name: "apt",
      architecture: null,
      installed: "2.6.1",
      candidate: "2.6.2",
      versions: [
        {
          version: "2.6.2",
          priority: 500,
          sources: ["http://mirror.example/debian-security bookworm-security/main"],
        },
        { version: "2.6.1", priority: 100, sources: [] },
      ],
    },
    {
      name: "libc6",
      architecture: "i386",
      installed: "2.36-9",
      candidate: null,
      versions: [{ version: "2.37-1", priority: -10, sources: ["http://mirror.example/debian bookworm/main"] }],
    },
  ]);
});

test("details are read, with and without phasing", () => {
  const text = `Package: apt
Architecture: amd64
Version: 2.6.2
Installed-Size: 4232
Description: package manager
 Depends: not a field
Phased-Update-Percentage: 20

Package: tzdata
Version: 2026f
Architecture: all

`;
  expect(parseDetails(text)).toEqual([
    { name: "apt", version: "2.6.2", architecture: "amd64", installedSizeKiB: 4232, phasedPercent: 20, sha256: null },
    { name: "tzdata", version: "2026f", architecture: "all", installedSizeKiB: 0, phasedPercent: null, sha256: null },
  ]);
});
