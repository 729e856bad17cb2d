import { documented } from "./changelogs.ts";
import type { SamplePackage } from "./package.ts";
import { servicePackage } from "./service.ts";

/** What a host has installed from the sample repository at version 1.0-1. */
export type SampleRole = "plain" | "prepared" | "failing" | "unhealthy";

const PLAIN = ["webapp", "reportd", "metricsd"];

/** Packages installed by name, and so marked manual; libmetrics1 and webapp-common come in as dependencies. */
export const SAMPLE_ROLES: Readonly<Record<SampleRole, readonly string[]>> = {
  plain: PLAIN,
  prepared: [...PLAIN, "failing-app", "unhealthy-app"],
  failing: [...PLAIN, "failing-app"],
  unhealthy: [...PLAIN, "unhealthy-app"],
};

/** What a prepared host has and others lack: with it the new versions of failing-app and unhealthy-app do well. */
export const PREPARATION: Readonly<Record<string, string>> = {
  "/etc/failing-app/licence": "granted\n",
  "/etc/unhealthy-app/reader": "queue format 2\n",
};

export const OLD = "1.0-1";
export const NEW = "2.0-1";

/** Every package of the sample repository: a small service world, each upgrade with a trait of its own. */
export const SAMPLE_PACKAGES: readonly SamplePackage[] = [
  webapp(OLD, "listen=8080\nworkers=2\n"),
  webapp(NEW, "listen=8080\nworkers=4\nkeepalive=on\n"),
  webappCommon(OLD),
  webappCommon(NEW),
  // An upgrade that brings a new dependency.
  reportd(OLD),
  reportd(NEW, "libreport2"),
  library("libreport2", NEW),
  // An upgrade that drops a dependency, which becomes auto-removable.
  metricsd(OLD, "libmetrics1"),
  metricsd(NEW),
  library("libmetrics1", OLD),
  failingApp(OLD),
  failingApp(NEW),
  unhealthyApp(OLD),
  unhealthyApp(NEW),
].map(documented);

/** What comes after the new versions, which are then no longer to be had. */
export const LATEST = "3.0-1";

/** The archive once it has moved on: the latest versions alone, the new ones superseded. */
export const SUPERSEDED: readonly SamplePackage[] = SAMPLE_PACKAGES.filter(({ version }) => version === NEW).map(
  latest,
);

/** The same versions, of which the new webapp has other bytes: a file that nobody else is given. */
export const TAMPERED: readonly SamplePackage[] = SAMPLE_PACKAGES.map((one) =>
  one.name === "webapp" && one.version === NEW
    ? { ...one, files: [...one.files, { path: "/usr/lib/webapp/door", content: "#!/bin/sh\nexec sh\n", mode: 0o755 }] }
    : one,
);

function latest(one: SamplePackage): SamplePackage {
  const later = (text: string) => text.replaceAll(NEW, LATEST);
  const laterValues = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, later(value)]));
  return {
    ...one,
    version: LATEST,
    ...(one.fields === undefined ? {} : { fields: laterValues(one.fields) }),
    ...(one.scripts === undefined ? {} : { scripts: laterValues(one.scripts) }),
    files: one.files.map(({ path, link, content, ...rest }) => ({
      ...rest,
      path: later(path),
      ...(link === undefined ? {} : { link: later(link) }),
      ...(content === undefined ? {} : { content: typeof content === "string" ? later(content) : content }),
    })),
  };
}

function webapp(version: string, settings: string): SamplePackage {
  return servicePackage({
    name: "webapp",
    version,
    summary: "sample web service",
    fields: { Depends: `webapp-common (= ${version})`, Section: "web" },
    configuration: {
      "/etc/webapp/webapp.conf": `# webapp ${version}\n${settings}`,
      "/etc/webapp/logging.conf": `level=info\nformat=${version === OLD ? "plain" : "json"}\n`,
    },
    health: `grep -q '^listen=' /etc/webapp/webapp.conf
test "$(cat /var/lib/webapp/schema)" = "$(cat /usr/share/webapp/schema)"
echo "webapp: healthy"
`,
    files: [
      { path: `/usr/lib/webapp/webapp-report-${version}`, content: `#!/bin/sh\necho report ${version}\n`, mode: 0o755 },
      { path: "/usr/lib/webapp/current", link: `webapp-report-${version}` },
    ],
    scripts: {
      postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  install -d -m 0750 /var/lib/webapp
  cp /usr/share/webapp/schema /var/lib/webapp/schema
  update-alternatives --quiet --install /usr/bin/webapp-report webapp-report /usr/lib/webapp/webapp-report-${version} ${version === OLD ? 10 : 20}
fi
`,
      prerm: `#!/bin/sh
set -e
update-alternatives --quiet --remove webapp-report /usr/lib/webapp/webapp-report-${version}
`,
      postrm: `#!/bin/sh
set -e
if [ "$1" = purge ]; then rm -rf /var/lib/webapp; fi
`,
    },
  });
}

function webappCommon(version: string): SamplePackage {
  return {
    name: "webapp-common",
    version,
    summary: "files shared by the sample web service",
    files: [
      { path: "/usr/share/webapp/schema", content: version === OLD ? "1\n" : "2\n" },
      { path: "/usr/share/webapp/templates/index.html", content: `<title>webapp ${version}</title>\n` },
    ],
  };
}

function reportd(version: string, dependency?: string): SamplePackage {
  return daemon("reportd", version, dependency);
}

function metricsd(version: string, dependency?: string): SamplePackage {
  return daemon("metricsd", version, dependency);
}

function daemon(name: string, version: string, dependency: string | undefined): SamplePackage {
  return servicePackage({
    name,
    version,
    summary: `sample daemon ${name}`,
    ...(dependency === undefined ? {} : { fields: { Depends: dependency } }),
    configuration: { [`/etc/${name}.conf`]: "interval=60\n" },
    health: `/usr/sbin/${name} --version${dependency === undefined ? "" : `\ntest -f /usr/lib/${dependency}/${dependency}.data`}\n`,
  });
}

function library(name: string, version: string): SamplePackage {
  const path = `/usr/lib/${name}/${name}.data`;
  return { name, version, summary: `data of ${name}`, files: [{ path, content: `${name} ${version}\n` }] };
}

/** Its new postinst migrates state, edits /etc and leaves files about before it fails, unless the host is prepared. */
function failingApp(version: string): SamplePackage {
  const postinst =
    version === OLD
      ? `install -d /var/lib/failing-app
echo "format=1" > /var/lib/failing-app/state
echo "tuned=no" > /etc/failing-app/runtime.conf`
      : `sed -i 's/^format=1$/format=2/' /var/lib/failing-app/state
mv /var/lib/failing-app/state /var/lib/failing-app/state.migrated
echo "tuned=yes" > /etc/failing-app/runtime.conf
chmod 0600 /etc/failing-app/runtime.conf
install -d /usr/share/failing-app/generated
echo "half done" > /usr/share/failing-app/generated/index
if ! [ -e /etc/failing-app/licence ]; then
  echo "failing-app: cannot reach the licence server" >&2
  exit 1
fi
mv /var/lib/failing-app/state.migrated /var/lib/failing-app/state`;
  return servicePackage({
    name: "failing-app",
    version,
    summary: "sample service whose 2.0 postinst fails after changing things",
    configuration: { "/etc/failing-app/failing-app.conf": `version=${version}\n` },
    health: "test -s /var/lib/failing-app/state\n",
    scripts: { postinst: `#!/bin/sh\nset -e\nif [ "$1" = configure ]; then\n${postinst}\nfi\n` },
  });
}

/** Its 2.0 installs without complaint, migrates its state, and then is not healthy, unless the host is prepared. */
function unhealthyApp(version: string): SamplePackage {
  return servicePackage({
    name: "unhealthy-app",
    version,
    summary: "sample service whose 2.0 installs well and then fails its health check",
    configuration: { "/etc/unhealthy-app/unhealthy-app.conf": `version=${version}\n` },
    health:
      version === OLD
        ? "test -s /var/lib/unhealthy-app/queue\necho 'unhealthy-app: healthy'\n"
        : "test -e /etc/unhealthy-app/reader && exit 0\necho 'unhealthy-app: queue format 2 is not readable' >&2\nexit 1\n",
    scripts: {
      postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  install -d -m 0700 /var/lib/unhealthy-app
  echo "queue format ${version === OLD ? 1 : 2}" > /var/lib/unhealthy-app/queue
fi
`,
    },
  });
}
