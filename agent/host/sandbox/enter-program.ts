/**
 * Enters a confined sandbox, run as `perl -e … PID CAPABILITIES CGROUPS FOLDER PROGRAM ARGUMENT…`; without a program it ends every process there.
 *
 * nsenter cannot do it: whatever drops capabilities after it would be a program of the clone, which a hostile package may have
 * replaced and which would still hold them all. Here everything is loaded from the machine before the namespaces are entered.
 * Until exec the process keeps all its capabilities, so that nothing inside may look at its memory, descriptors or executable
 * (which is the machine's perl); exec then leaves those of the bounding set. It is also what the kernel ends first for want of memory.
 */
export const ENTER_PROGRAM = String.raw`
use strict; use warnings; use Fcntl; use POSIX ();
my ($pid, $capabilities, $cgroups, $folder, @command) = @ARGV;
my %NR = (x86_64 => { setns => 308, prctl => 157 }, aarch64 => { setns => 268, prctl => 167 });
my $machine = (POSIX::uname())[4];
my $nr = $NR{$machine} or fail("no system call numbers for $machine");
sub fail { print STDERR "enter: cannot: $_[0]\n"; exit 126 }
sub prctl { syscall($nr->{prctl}, $_[0] + 0, $_[1] + 0, 0, 0, 0) }
prctl(4, 0) == 0 or fail("prctl: $!");
if (open(my $score, ">", "/proc/self/oom_score_adj")) { print $score "1000\n"; close $score }
for my $cgroup (split(/:/, $cgroups)) {
  sysopen(my $procs, "$cgroup/cgroup.procs", O_WRONLY) or fail("$cgroup: $!");
  syswrite($procs, "0") or fail("$cgroup: $!");
}
my @spaces;
for my $name (qw(ipc uts net pid mnt)) { sysopen(my $space, "/proc/$pid/ns/$name", O_RDONLY) or fail("$name: $!"); push @spaces, $space }
syscall($nr->{setns}, fileno($_), 0) == 0 or fail("setns: $!") for @spaces;
close $_ for @spaces;
undef @spaces;
my $child = fork;
defined $child or fail("fork: $!");
if ($child == 0) {
  POSIX::close($_) for 3 .. 255;
  if (!@command) { kill 9, -1; POSIX::_exit(0) }
  chdir $folder or fail("$folder: $!");
  my %keep = map { $_ => 1 } split(/,/, $capabilities);
  # Numbers the kernel does not know are refused, and nothing is lost by that.
  prctl(24, $_) for grep { !$keep{$_} } 0 .. 63;
  umask 022;
  { no warnings; exec { $command[0] } @command }
  print STDERR "enter: $command[0]: $!\n";
  POSIX::_exit(127);
}
waitpid($child, 0);
my $status = $?;
if (my $signal = $status & 127) { $SIG{$_} = "DEFAULT" for keys %SIG; kill $signal, $$; select(undef, undef, undef, 1) }
exit($status >> 8);
`;
