import type { SamplePackage } from "./package.ts";

export interface ServiceOptions {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  readonly fields?: Readonly<Record<string, string>>;
  /** Body of the health check, a shell script whose last status counts. */
  readonly health: string;
  readonly files?: SamplePackage["files"];
  /** Conffiles by path, beside the service's own. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly scripts?: SamplePackage["scripts"];
}

/**
 * A service package as they are found in the field: a program, a unit, conffiles, a man page, and a health check under
 * /etc/autopatch/health.d that the validate step runs (exit 0 is healthy).
 */
export function servicePackage(options: ServiceOptions): SamplePackage {
  const { name, version, summary, fields, scripts } = options;
  const check = `/etc/autopatch/health.d/${name}`;
  return {
    name,
    version,
    summary,
    ...(fields === undefined ? {} : { fields }),
    ...(scripts === undefined ? {} : { scripts }),
    conffiles: [...Object.keys(options.configuration), check],
    files: [
      ...Object.entries(options.configuration).map(([path, content]) => ({ path, content })),
      { path: check, content: `#!/bin/sh\nexec /usr/lib/${name}/healthcheck\n`, mode: 0o755 },
      { path: `/usr/lib/${name}/healthcheck`, content: `#!/bin/sh\nset -e\n${options.health}`, mode: 0o755 },
      { path: `/usr/sbin/${name}`, content: program(name, version), mode: 0o755 },
      { path: `/usr/lib/systemd/system/${name}.service`, content: unit(name, summary) },
      { path: `/usr/share/man/man8/${name}.8`, content: manual(name, version, summary) },
      ...(options.files ?? []),
    ],
  };
}

function program(name: string, version: string): string {
  return `#!/bin/sh
# ${name} ${version}
case "\${1:-}" in
  --version) echo "${name} ${version}" ;;
  *) echo "${name}: serving from /var/lib/${name}"; exec sleep infinity ;;
esac
`;
}

function unit(name: string, summary: string): string {
  return `[Unit]
Description=${summary}

[Service]
ExecStart=/usr/sbin/${name}
Restart=on-failure

[Install]
WantedBy=multi-user.target
`;
}

function manual(name: string, version: string, summary: string): string {
  return `.TH ${name.toUpperCase()} 8 "" "${version}"\n.SH NAME\n${name} \\- ${summary}\n`;
}
