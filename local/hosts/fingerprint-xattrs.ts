/**
 * Prints path, name and value in hexadecimal of every extended attribute below the given folders, run as `perl -e … FOLDER…`. Links and
 * other mounts are looked at, never followed.
 */
export const READ_ATTRIBUTES = String.raw`
use strict; use warnings; use File::Find; use POSIX ();
my %NR = (x86_64 => { list => 195, get => 192 }, aarch64 => { list => 12, get => 9 });
my $machine = (POSIX::uname())[4];
my $nr = $NR{$machine} or die "no system call numbers for $machine\n";
sub call { my ($name, $path, @rest) = @_; my $buffer = "\0" x 65536; my $size = syscall($nr->{$name}, $path, @rest, $buffer, 65536); $size < 0 ? "" : substr($buffer, 0, $size) }
find({ no_chdir => 1, wanted => sub {
  my $path = $_;
  for my $name (split /\0/, call("list", $path)) { print unpack("H*", $path), " $name ", unpack("H*", call("get", $path, $name)), "\n" }
} }, @ARGV);
`;

/** `name=value` of each attribute, in order, by path. Pure. @param root what stands before each path */
export function parseAttributes(stdout: string, root: string): Map<string, string> {
  const found = new Map<string, string[]>();
  for (const line of stdout.split("\n")) {
    const match = /^([0-9a-f]+) (\S+) ([0-9a-f]*)$/.exec(line);
    if (match === null) continue;
    const path = Buffer.from(match[1] ?? "", "hex")
      .toString("utf8")
      .slice(root.length);
    found.set(path, [...(found.get(path) ?? []), `${match[2]}=${match[3]}`]);
  }
  return new Map([...found].map(([path, attributes]) => [path, attributes.sort().join(" ")]));
}
