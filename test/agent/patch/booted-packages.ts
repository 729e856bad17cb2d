import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SamplePackage } from "../../../local/hosts/sample/package.ts";
import type { BootedAgentHost } from "../booted.ts";
import type { Pair } from "./adversary.ts";

const LIBRARY = "/usr/lib/sample/libsample.so";

/** A library that services map. Its bytes are those of libraries of the host itself, since nothing here compiles. */
export function libraryPair(host: BootedAgentHost) {
  const folder = "/usr/lib/x86_64-linux-gnu";
  const at = (version: string, file: string): SamplePackage => ({
    name: "libsample",
    version,
    summary: "library of a test",
    files: [{ path: LIBRARY, content: readFileSync(join(host.root, folder, file)) }],
  });
  return { old: at("1.0-1", "libbz2.so.1.0.4"), next: at("2.0-1", "liblz4.so.1.9.4") } satisfies Pair;
}

export interface ServiceTraits {
  /** Maps the library from its start. @default true */
  readonly library?: boolean;
  /** Enabled and started by its package, as debhelper's scripts do it. @default true */
  readonly enabled?: boolean;
  readonly fields?: SamplePackage["fields"];
}

/** A service that keeps a line for each of its starts, and whose package restarts it on upgrades. */
export function serviceVersion(name: string, version: string, traits: ServiceTraits = {}): SamplePackage {
  const { library = true, enabled = true, fields } = traits;
  const unit = `[Unit]
Description=${name} of a test
[Service]
${library ? `Environment=LD_PRELOAD=${LIBRARY}` : ""}
ExecStartPre=/bin/sh -c "echo ${version} >> /var/log/${name}.starts"
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
`;
  // What debhelper writes for a service that is restarted after an upgrade.
  const postinst = `#!/bin/sh
set -e
deb-systemd-helper unmask ${name}.service >/dev/null || true
${enabled ? `deb-systemd-helper --quiet was-enabled ${name}.service && deb-systemd-helper enable ${name}.service >/dev/null || true` : ""}
systemctl --system daemon-reload >/dev/null || true
if [ -n "$2" ]; then action=restart; else action=start; fi
deb-systemd-invoke $action ${name}.service >/dev/null || true
test ! -e /usr/sbin/policy-rc.d || touch /run/held-while-configuring
`;
  return {
    name,
    version,
    summary: `service ${name} of a test`,
    files: [{ path: `/usr/lib/systemd/system/${name}.service`, content: unit }],
    scripts: { postinst },
    ...(fields === undefined ? {} : { fields }),
  };
}

/** Versions with which a service was started, one for each time. */
export async function startsOf(host: BootedAgentHost, name: string): Promise<string[]> {
  return (await host.run("cat", `/var/log/${name}.starts`)).stdout.split("\n").filter((line) => line !== "");
}

export async function propertyOf(host: BootedAgentHost, unit: string, property: string): Promise<string> {
  return (await host.run("systemctl", "show", `--property=${property}`, "--value", unit)).stdout.trim();
}
