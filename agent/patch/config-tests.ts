/** A service's own test of its configuration. Exit 0 is good. */
export interface ConfigTest {
  readonly name: string;
  /** Absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  /** The test is run where this exists too: a program without its configuration has nothing to say. */
  readonly config: string;
  /** Folders under /run that the service's unit would have made. */
  readonly folders?: readonly string[];
  /** Where this exists the program is another than its name says. */
  readonly unless?: string;
}

/** None of them starts a service, needs a daemon, or asks the network. */
const TESTS: readonly ConfigTest[] = [
  { name: "sshd", program: "/usr/sbin/sshd", args: ["-t"], config: "/etc/ssh/sshd_config", folders: ["/run/sshd"] },
  { name: "sudo", program: "/usr/sbin/visudo", args: ["-c"], config: "/etc/sudoers" },
  { name: "nginx", program: "/usr/sbin/nginx", args: ["-t", "-q"], config: "/etc/nginx/nginx.conf" },
  { name: "apache2", program: "/usr/sbin/apache2ctl", args: ["configtest"], config: "/etc/apache2/apache2.conf" },
  {
    name: "haproxy",
    program: "/usr/sbin/haproxy",
    args: ["-c", "-q", "-f", "/etc/haproxy/haproxy.cfg"],
    config: "/etc/haproxy/haproxy.cfg",
    folders: ["/run/haproxy"],
  },
  // Debian moved it from sbin to bin.
  { name: "named", program: "/usr/sbin/named-checkconf", args: [], config: "/etc/bind/named.conf" },
  {
    name: "named",
    program: "/usr/bin/named-checkconf",
    args: [],
    config: "/etc/bind/named.conf",
    unless: "/usr/sbin/named-checkconf",
  },
  { name: "postfix", program: "/usr/sbin/postfix", args: ["check"], config: "/etc/postfix/main.cf" },
  { name: "dovecot", program: "/usr/bin/doveconf", args: ["-n"], config: "/etc/dovecot/dovecot.conf" },
  { name: "squid", program: "/usr/sbin/squid", args: ["-k", "parse"], config: "/etc/squid/squid.conf" },
  // MariaDB's server goes by the same name and knows no such test.
  {
    name: "mysqld",
    program: "/usr/sbin/mysqld",
    args: ["--validate-config", "--user=mysql"],
    config: "/etc/mysql/my.cnf",
    unless: "/usr/sbin/mariadbd",
  },
];

/**
 * The tests that a host's programs and configuration allow. Pure.
 * @param exists whether there is something at an absolute path
 * @param daemons names in /usr/sbin, where PHP has a program for each of its versions
 */
export function configTests(exists: (path: string) => boolean, daemons: readonly string[]): ConfigTest[] {
  const php = daemons.flatMap((name): ConfigTest[] => {
    const version = /^php-fpm(\d+\.\d+)$/.exec(name)?.[1];
    if (version === undefined) return [];
    return [{ name, program: `/usr/sbin/${name}`, args: ["-t"], config: `/etc/php/${version}/fpm/php-fpm.conf` }];
  });
  return [...TESTS, ...php].filter(
    ({ program, config, unless }) => exists(program) && exists(config) && !(unless !== undefined && exists(unless)),
  );
}
