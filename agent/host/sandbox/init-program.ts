/**
 * PID 1 of a sandbox, run as `perl FILE key=value…` inside fresh mount, PID, UTS and IPC namespaces.
 *
 * Perl, because perl-base is Essential on Debian and Ubuntu, can call mount(2) itself, and can ignore SIGCHLD for real,
 * so that the kernel reaps every orphan. It is loaded from the machine, not from the clone: upgrading libc in the clone leaves
 * PID 1 with no deleted library mapped. All mounting of the machine's files goes through a descriptor of the old root, and all
 * targets are resolved after pivot_root, so that no symlink of the clone can lead outside.
 *
 * Its stdin is a pipe held by the runner: end of file, for whatever reason the runner went, ends PID 1, and the kernel
 * ends everything else in the PID namespace and drops the mounts with the last process.
 *
 * Confined, its upper layers lie on a tmpfs of its own of bounded size, and it watches what the clone uses.
 *
 * It answers "ready PID FD" (its own PID as the machine sees it; confined, the descriptor of the upper layers' folder) on stdout, or one line on stderr and exit code 1.
 */
export const INIT_PROGRAM = String.raw`
use strict; use warnings; use Fcntl; use Socket; use POSIX ();
my %NR = (
  x86_64  => { mount => 165, umount2 => 166, pivot_root => 155, sethostname => 170 },
  aarch64 => { mount => 40,  umount2 => 39,  pivot_root => 41,  sethostname => 161 },
);
my $machine = (POSIX::uname())[4];
my $nr = $NR{$machine} or fail("no system call numbers for $machine; known are x86_64 and aarch64");
my ($RDONLY, $NOSUID, $NODEV, $NOEXEC, $REMOUNT, $BIND, $REC) = (1, 2, 4, 8, 32, 4096, 16384);
my (%is, @binds, @file_systems);
for my $argument (@ARGV) {
  my ($key, $value) = split(/=/, $argument, 2);
  if ($key eq "bind") { push @binds, [split(/\n/, $value)] }
  elsif ($key eq "filesystem") { push @file_systems, $value }
  else { $is{$key} = $value }
}
my $confined = exists $is{size};

sub fail { print STDERR "$_[0]\n"; exit 1 }
sub call { my ($what, $name, @arguments) = @_; syscall($nr->{$name}, @arguments) == 0 or fail("$what: $!") }
sub mnt {
  my ($source, $target, $type, $flags, $data) = @_;
  call("mount of $type at $target", "mount", $source, $target, $type, $flags + 0, $data);
}
# A file or folder of the machine (below $old) at $target; whatever is missing of the target is made first.
sub bind_in {
  my ($source, $target, $flags) = @_;
  if (-d $source) { folders($target) } elsif (! -e $target) {
    (my $parent = $target) =~ s{/[^/]*$}{};
    folders($parent);
    my $real = -l $target ? link_end($target) : $target;
    sysopen(my $made, $real, O_WRONLY | O_CREAT, 0644) or fail("$real: $!");
  }
  my $none = "none"; my $empty = "";
  call("bind at $target", "mount", $source, $target, $none, $BIND | $REC, $empty);
  call("read-only bind at $target", "mount", $source, $target, $none, $BIND | $REMOUNT | $flags, $empty) if $flags;
}
sub folders {
  my $path = "";
  for my $part (grep { length } split(/\//, $_[0])) { $path .= "/$part"; -d $path or mkdir($path, 0755) or fail("$path: $!") }
}
sub link_end {
  my $end = readlink($_[0]);
  if ($end !~ m{^/}) { (my $folder = $_[0]) =~ s{[^/]*$}{}; $end = $folder . $end }
  (my $parent = $end) =~ s{/[^/]*$}{};
  folders($parent);
  return $end;
}

my $outer_pid = readlink("/proc/self") or fail("/proc is not mounted: $!");
umask 0;
my ($stage, $stage_number) = (undef, "");
sub stage_folder { mkdir($_[0], 0755) or fail("$_[0]: $!"); mkdir("$_[0]/$_", 0755) or fail("$_[0]/$_: $!") for qw(upper work) }
if ($confined) {
  mnt("tmpfs", $is{stage}, "tmpfs", $NOSUID | $NODEV, "mode=700,size=$is{size}");
  stage_folder("$is{stage}/0");
  # The runner reads the upper layers through this descriptor: no path leads there any more once the old root is left.
  sysopen($stage, $is{stage}, O_RDONLY | O_DIRECTORY) or fail("$is{stage}: $!");
  $stage_number = fileno($stage);
}
mnt("overlay", $is{root}, "overlay", $confined ? $NODEV : 0, $is{overlay});
sysopen(my $old_root, "/", O_RDONLY | O_DIRECTORY) or fail("/: $!");
my $old = "/proc/self/fd/" . fileno($old_root);
chdir $is{root} or fail("$is{root}: $!");
my ($here, $also_here) = (".", ".");
call("pivot_root", "pivot_root", $here, $also_here);

mnt("proc", "/proc", "proc", $NOSUID | $NODEV | $NOEXEC, "");
# sysfs cannot be mounted in a user namespace that shares the network: then /sys stays as it is in the layers.
{ my ($s, $t, $y, $d) = ("sysfs", "/sys", "sysfs", ""); syscall($nr->{mount}, $s, $t, $y, $RDONLY | $NOSUID | $NODEV | $NOEXEC, $d) }
mnt("tmpfs", "/dev", "tmpfs", $NOSUID | $NOEXEC, "mode=755,size=64k");
mkdir "/dev/$_" for qw(pts shm);
# Read-only binds: the nodes work, and a chmod in the clone does not reach the machine's.
bind_in("$old/dev/$_", "/dev/$_", $RDONLY | $NOSUID | $NOEXEC) for qw(null zero full random urandom tty);
mnt("devpts", "/dev/pts", "devpts", $NOSUID | $NOEXEC, "newinstance,ptmxmode=0666,mode=620");
mnt("tmpfs", "/dev/shm", "tmpfs", $NOSUID | $NODEV, "mode=1777" . ($confined ? ",size=16m" : ""));
symlink("pts/ptmx", "/dev/ptmx");
symlink("/proc/self/fd", "/dev/fd");
my @names = qw(stdin stdout stderr);
symlink("/proc/self/fd/$_", "/dev/$names[$_]") for 0 .. 2;
my $most = sub { $confined ? ",size=$_[0]" : "" };
mnt("tmpfs", "/run", "tmpfs", $NOSUID | $NODEV, "mode=755" . $most->("16m"));
mkdir "/run/lock", 01777;
mnt("tmpfs", "/tmp", "tmpfs", $NOSUID | $NODEV, "mode=1777" . $most->("256m"));
my $number = 0;
my @copies;
for my $at (@file_systems) {
  my $folder = "$old$is{stage}/" . ++$number;
  stage_folder($folder);
  my ($source, $target, $type, $data) = ("overlay", $at, "overlay", "lowerdir=$old$at,upperdir=$folder/upper,workdir=$folder/work");
  next if syscall($nr->{mount}, $source, $target, $type, $NODEV, $data) == 0;
  push @copies, [$at, "$is{stage}/$number"];
}
# FAT cannot be a layer, and is small: the clone gets a copy. Nothing of the clone has run yet, so its cp is the machine's; it lies in /usr.
# To it /proc/self is another process: it reaches the old root through this one.
(my $through = $old) =~ s/self/$$/;
for my $copy (@copies) {
  my ($at, $layer) = @$copy;
  system("/bin/cp", "-a", "$through$at/.", "$through$layer/upper") == 0 or fail("no copy of $at could be made");
  mkdir("$old$layer/copied", 0755) or fail("$old$layer/copied: $!");
  bind_in("$old$layer/upper", $at, $NODEV | $NOSUID);
}
# A service may test its configuration by taking its port, in a network that ends here.
if ($confined && open(my $ports, ">", "/proc/sys/net/ipv4/ip_unprivileged_port_start")) { print $ports "0\n"; close $ports }
bind_in("$old$is{bootid}", "/proc/sys/kernel/random/boot_id", $RDONLY);
for my $knobs (grep { -e } map { "/proc/$_" } qw(sys sysrq-trigger irq bus acpi apm asound driver fs mtrr scsi)) { bind_in($knobs, $knobs, $RDONLY | $NOSUID | $NODEV | $NOEXEC) }
bind_in("/dev/null", "/proc/kcore", 0) if -e "/proc/kcore";
for my $bind (@binds) { my ($from, $to, $mode) = @$bind; bind_in("$old$from", $to, $mode eq "ro" ? $RDONLY : 0) }

if ($is{hostname} ne "") { my $name = $is{hostname}; call("sethostname", "sethostname", $name, length($name) + 0) }
if ($is{network} eq "none") {
  socket(my $socket, AF_INET, SOCK_DGRAM, 0) or fail("socket: $!");
  my $up = pack("a16 s x22", "lo", 1 | 64);
  ioctl($socket, 0x8914, $up) or fail("lo: $!");
}
close $old_root;
chdir "/";
my $top = ".";
call("leaving the machine's root", "umount2", $top, 2);
chdir "/" or fail("/: $!");

umask 022;
$0 = "autopatch-sandbox-init";
$SIG{CHLD} = "IGNORE";
$SIG{$_} = "IGNORE" for qw(HUP INT TERM PIPE);
syswrite(STDOUT, "ready $outer_pid $stage_number\n");
my $page = POSIX::sysconf(POSIX::_SC_PAGESIZE());
# Bounds that hold on every kernel: more processes or memory than allowed, and everything but this process is ended at once.
sub watch {
  my ($processes, $memory) = (0, 0);
  opendir(my $proc, "/proc") or return;
  for my $pid (grep { /^[0-9]+$/ && $_ != 1 } readdir $proc) {
    $processes++;
    open(my $statm, "<", "/proc/$pid/statm") or next;
    $memory += (split(/ /, <$statm> // "0 0"))[1] * $page;
  }
  my $what = $processes > $is{processes} ? "processes" : $memory > $is{memory} ? "memory" : return;
  kill 9, -1;
  syswrite(STDOUT, "exceeded $what\n");
}
for (;;) {
  if ($confined) {
    my $readable = "";
    vec($readable, 0, 1) = 1;
    if (select($readable, undef, undef, 0.05) < 1) { watch(); next }
  }
  my $got = sysread(STDIN, my $ignored, 512);
  exit 0 if defined $got && $got == 0;
  exit 1 if !defined $got && !$!{EINTR};
}
`;
