# perl: files, forks, pipes, sockets, File::Find and modules.
needs perl
workload() {
  perl -e '
    use strict; use warnings; use File::Find; use File::Temp; use Cwd; use IO::Socket::UNIX; use POSIX ":sys_wait_h";
    open(my $f, ">", "f") or die; print $f "line $_\n" for 1..10; close $f;
    open($f, "<", "f") or die; my @l = <$f>; print scalar(@l), " ", -s "f", "\n"; close $f;
    my $pid = fork; if (!$pid) { exit 4 } waitpid $pid, 0; print $? >> 8, "\n";
    print `echo backticks`; open(my $p, "-|", "sort", "-r", "f") or die; my $first = <$p>; print $first; close $p;
    my $n = 0; find(sub { $n++ }, "/usr/share/perl"); print $n > 10 ? "many\n" : "few\n";
    mkdir "d"; rename "f", "d/g"; symlink "d/g", "l"; print readlink("l"), " ", (stat "l")[7], "\n"; opendir(my $d, "d"); print join(",", sort readdir $d), "\n";
    my $s = IO::Socket::UNIX->new(Local => "sock", Listen => 1) or die; if (!fork) { my $c = IO::Socket::UNIX->new(Peer => "sock"); print $c "by socket\n"; exit } my $c = $s->accept; print scalar <$c>; wait; unlink "sock";
    $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; }; print $@;
    print getcwd() =~ /files$/ ? "cwd\n" : "no\n"; utime 1000, 2000, "d/g"; print +(stat "d/g")[9], "\n"; chmod 0600, "d/g"; truncate "d/g", 5;
    print join(" ", map { sprintf "%s", $_ } sort glob "*"), "\n";
  '
}
