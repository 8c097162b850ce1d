"""`sandbox trace --inject`: errors, results, delays, signals and short reads, in a sandbox and on the host."""
import os
import re
import signal
import subprocess
import sys

from cases import SANDBOX, check, equal, main, refused, sandbox, wait_until

WAYS = (["--host"], ["--platform", "ptrace"], ["--platform", "notify"])
VECTORS = os.path.join(os.environ.get("TRACE_GUESTS", "."), "vectors")
# Which of the files f1 to f8 can be opened.
OPEN = """
import os
for i in range(1, 9):
    try:
        os.close(os.open(f"{os.environ['DATA']}/f{i}", os.O_RDONLY))
        print("+", end="")
    except OSError as failure:
        print(failure.errno, end=" ")
"""


def inject(way, rules, *program, **options):
    return sandbox("trace", *way, "-o", "/dev/null", *[word for rule in rules for word in ("--inject", rule)], "--", *program, **options)


def files(folder):
    for i in range(1, 9):
        with open(f"{folder}/f{i}", "w") as file:
            file.write("0123456789" * 10)
    return {**os.environ, "DATA": folder}


def test_errors_by_path_and_count(folder):
    environment = files(folder)
    for way in WAYS:
        for when, expected in (("3+2", "++28 +28 +28 +"), ("2", "+28 ++++++"), ("7+", "++++++28 28 "), ("2..3", "+28 28 +++++"), ("1..5+4", "28 +++28 +++")):
            result = inject(way, [f"openat:path={folder}/f*:error=ENOSPC:when={when}"], "python3", "-c", OPEN, env=environment)
            equal((way, when, result.stdout, result.stderr), (way, when, expected, ""))


def test_calls_that_the_kernel_runs(folder):
    program = "import os; print(os.getppid(), os.getuid())"
    for way in WAYS:
        equal((way, inject(way, ["getppid:retval=77", "getuid:retval=1234"], "python3", "-c", program).stdout), (way, "77 1234\n"))
        result = inject(way, ["socket:error=EMFILE"], "python3", "-c", "import socket; socket.socket()")
        check("Too many open files" in result.stderr, result.stderr)


def test_execs():
    for way in WAYS:
        result = inject(way, ["execve:path=/bin/true:error=ENOMEM"], "sh", "-c", "/bin/true; echo $?")
        equal((way, result.stdout), (way, "126\n"))


def test_shown_as_injected(folder):
    path = os.path.join(folder, "trace")
    for way in WAYS:
        for filters, is_shown in (([], True), (["-e", "mkdir"], True), (["-e", "close"], False)):
            sandbox("trace", *way, "-o", path, *filters, "--inject", "mkdir:error=EIO", "--", "mkdir", "/tmp/never")
            with open(path) as file:
                found = [" ".join(line.split()[1:]) for line in file if "mkdir(" in line]
            equal((way, filters, found), (way, filters, ['mkdir("/tmp/never", 0777) = -1 EIO (Input/output error) (INJECTED)'] if is_shown else []))


def test_short_reads_and_writes(folder):
    environment = files(folder)
    count = "import os; f = os.open(os.environ['DATA'] + '/f1', os.O_RDONLY); print([len(os.read(f, 50)) for i in range(4)], os.write(1, b'abcdef'))"
    for way in WAYS:
        result = inject(way, [f"read:path={folder}/f1:short=7:when=1+2", "write:fd=1:short=2:when=1"], "python3", "-c", count, env=environment)
        equal((way, result.stdout), (way, "ab[7, 50, 7, 36] 2\n"))
        # A program that goes on where it was gets everything.
        result = inject(way, [f"read:path={folder}/*:short=random", "write:short=random"], "cat", f"{folder}/f1", f"{folder}/f2")
        equal((way, result.stdout), (way, "0123456789" * 20))


def test_short_vectors(folder):
    environment = files(folder)
    for way in WAYS:
        # What the notify engine answers itself (a preadv from the start, which a generated file would have to notice) stays whole.
        is_notify = "notify" in way
        result = inject(way, [f"readv:path={folder}/f1:short=13:when=1", f"preadv:path={folder}/f1:short=7", "writev:fd=1:short=6"], VECTORS, f"{folder}/f1", env=environment)
        equal((way, result.stdout.splitlines()), (way, ["readv 13 0123456789-012- 1", "readv 30 0123456789-0123456789-0123456789 1",
                                                        "preadv 30 0123456789-0123456789-0123456789 1" if is_notify else "preadv 7 0123456-- 1",
                                                        "one tw", "writev 6 1"]))
        # Never nothing, never more than was asked for.
        for seed in range(1, 6):
            result = sandbox("trace", *way, "-o", "/dev/null", "--seed", str(seed), "--inject", "readv:short=random", "--", VECTORS, f"{folder}/f1", env=environment)
            for line in result.stdout.splitlines()[:2]:
                _, count, found, is_kept = line.split(" ")
                check(1 <= int(count) <= 30 and len(found.replace("-", "")) == int(count) and is_kept == "1", result.stdout)


def test_short_reads_from_the_start(folder):
    environment = files(folder)
    program = "import os; f = os.open(os.environ['DATA'] + '/f1', os.O_RDONLY); print(len(os.pread(f, 50, 0)), len(os.pread(f, 50, 5)))"
    for way in (["--host"], ["--platform", "ptrace"]):
        result = inject(way, [f"pread64:path={folder}/f1:short=7"], "python3", "-c", program, env=environment)
        equal((way, result.stdout), (way, "7 7\n"))


def test_detaching_in_the_middle(folder):
    """A call that waits with fewer bytes is made again as the program asked for it; one that is held goes on at once."""
    program = f"import os, sys, time; print('begun', flush=True); data = os.read(0, 100); os.rmdir('{folder}/d'); print(len(data), flush=True)"
    for rule, answer in (("read:fd=0:short=3", b"0123456789\n"), ("rmdir:delay=60s", b"0123456789\n")):
        os.mkdir(f"{folder}/d")
        process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        tracer = subprocess.Popen([SANDBOX, "trace", "-o", f"{folder}/trace", "-p", str(process.pid), "--inject", rule])
        traced = f"/proc/{process.pid}/status"
        wait_until(lambda: f"TracerPid:\t{tracer.pid}\n" in open(traced).read(), "it is not traced")
        if "rmdir" in rule:
            process.stdin.write(answer)
            process.stdin.flush()
            # The tracer holds it at its entry.
            wait_until(lambda: "State:\tt" in open(traced).read(), "it is not held")
        tracer.send_signal(signal.SIGINT)
        equal(tracer.wait(20), 0)
        if "read:" in rule:
            process.stdin.write(answer)
            process.stdin.flush()
        equal((rule, process.communicate(timeout=20)[0], process.returncode), (rule, b"11\n", 0))


def test_chance_follows_the_seed(folder):
    environment = files(folder)

    def run(way, seed):
        return sandbox("trace", *way, "-o", "/dev/null", "--seed", seed, "--inject", f"openat:path={folder}/f*:error=EIO:probability=0.5", "--", "python3", "-c", OPEN * 4, env=environment).stdout
    for way in WAYS:
        first = run(way, "1")
        equal((way, run(way, "1")), (way, first))
        check(4 < first.count("+") < 28, first)
        check(first != run(way, "2"))


def test_delays_and_signals(folder):
    environment = files(folder)
    clock = "import os, time; t = time.monotonic(); os.stat('/tmp'); os.getppid(); print(time.monotonic() - t >= 0.2)"
    handler = "import os, signal; signal.signal(signal.SIGUSR1, lambda *_: print('signal')); os.getppid(); os.stat('/tmp'); print('end')"
    for way in WAYS:
        equal((way, inject(way, ["getppid:delay=200ms"], "python3", "-c", clock).stdout), (way, "True\n"))
        equal((way, inject(way, ["stat,newfstatat:path=/tmp:delay=200ms"], "python3", "-c", clock).stdout), (way, "True\n"))
        # Others go on meanwhile: the slow one ends last.
        script = "(/bin/cat /etc/hostname >/dev/null; echo slow) & echo fast; wait"
        equal((way, inject(way, ["openat:path=/etc/hostname:delay=1s"], "sh", "-c", script).stdout), (way, "fast\nslow\n"))
        equal((way, inject(way, ["getppid:signal=SIGUSR1"], "python3", "-c", handler).stdout), (way, "signal\nend\n"))
        equal((way, inject(way, ["stat,newfstatat:path=/tmp:signal=SIGUSR1"], "python3", "-c", handler).stdout), (way, "signal\nend\n"))


def test_death_in_a_delay():
    for way in WAYS:
        result = inject(way, ["getsid:delay=60s"], "sh", "-c", "python3 -c 'import os; os.getsid(0)' & sleep 0.5; kill -9 $!; wait $!; echo $?")
        equal((way, result.stdout), (way, "137\n"))


def test_explained(folder):
    result = sandbox("trace", "--explain", "--inject", f"openat:path={folder}/*:error=ENOSPC", "--", "touch", f"{folder}/new")
    check("explanation:" in result.stderr and "(INJECTED)" in result.stderr, result.stderr)


def test_refused_rules():
    for rule, word in (("openat", "says nothing"), ("no_such:error=EIO", "no_such"), ("openat:error=EWHAT", "EWHAT"), ("openat:error=EIO:when=0", "when"), ("openat:when", "neither"),
                       ("openat:colour=red", "colour"), ("read:short=0", "short"), ("read:signal=SIGNOT", "SIGNOT"), ("read:delay=1y", "delay"), ("getppid:path=/x:error=EIO", "no call")):
        refused(sandbox("trace", "--inject", rule, "--", "true"), "--inject", word)


if __name__ == "__main__":
    main(globals())
