"""What `sandbox trace` shows, in every form, in a sandbox on both engines and on the host."""
import json
import os
import re
import signal
import subprocess
import sys

from cases import SANDBOX, Skip, check, equal, main, refused, sandbox, wait_until

CALLS = os.path.join(os.environ.get("TRACE_GUESTS", "."), "calls")
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
WAYS = (["--host"], ["--platform", "ptrace"], ["--platform", "notify"])


def trace(folder, *arguments, expect=0):
    """Runs with -o; the lines of the trace. A sandbox keeps the folder's file, which is opened outside."""
    path = os.path.join(folder, "trace")
    result = sandbox("trace", "-o", path, *arguments)
    equal((result.returncode, result.stderr if expect == 0 else ""), (expect, ""))
    with open(path, errors="surrogateescape") as file:
        return file.read().splitlines()


def calls_of(lines):
    """Without the process's number in front and the padding before the result."""
    return [re.sub(r"\) += ", ") = ", re.sub(r"^\d+ +", "", line)) for line in lines]


def in_order(lines, *patterns):
    """Each pattern matches a whole line, after that of the one before."""
    rest = iter(lines)
    for pattern in patterns:
        check(any(re.fullmatch(pattern, line) for line in rest), f"no {pattern!r} in this order in\n" + "\n".join(lines))


def test_text(folder):
    for way in WAYS:
        lines = calls_of(trace(folder, *way, "--", CALLS, "known"))
        in_order(lines, r'execve\(".*/calls", \["[^"]*"(?:\.\.\.)?, "known"\], 0x[0-9a-f]+ /\* \d+ vars \*/\) = 0',
                 r'openat\(AT_FDCWD, "/etc/passwd", O_RDONLY\|O_CLOEXEC\) = 3', r'read\(3, "root", 4\) = 4',
                 r"close\(3\) = 0", r'openat\(AT_FDCWD, "/no/such/file", O_RDWR\) = -1 ENOENT \(No such file or directory\)',
                 r"open_by_handle_at\(-1, .*\) = -1 (EPERM|EFAULT|EBADF) .*", r"close\(-1\) = -1 EBADF \(Bad file descriptor\)",
                 r"syscall_.*= -1 ENOSYS \(Function not implemented\)", r"exit_group\(0\) = \?", r"\+\+\+ exited with 0 \+\+\+")
        # The first call is the execve, the loader's own are not the program's, and all come once.
        check(lines[0].startswith("execve("), lines[0])
        equal(len([line for line in lines if line.startswith("execve(")]), 1)
        check(lines[1].startswith("brk("), lines[1])


def test_same_calls_as_strace(folder):
    path = os.path.join(folder, "strace")
    try:
        subprocess.run(["strace", "-f", "-o", path, CALLS, "known"], check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        raise Skip("strace is not installed or may not trace")

    def names(lines):
        return [match.group(1) for line in calls_of(lines) if (match := re.match(r"([a-z_0-9]+)\(", line))]
    with open(path, errors="replace") as file:
        expected = [name for name in names(file.read().splitlines()) if not name.startswith("syscall_")]
    for way in WAYS:
        found = [name for name in names(trace(folder, *way, "--", CALLS, "known")) if not name.startswith("syscall_")]
        equal((way, found), (way, expected))


def test_signals_and_deaths(folder):
    for way in WAYS:
        lines = calls_of(trace(folder, *way, "--", CALLS, "killed"))
        in_order(lines, r"pause\(.*\) = \?", r"\+\+\+ killed by SIGKILL \+\+\+")
        in_order(lines, r"--- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=\d+, si_uid=\d+, si_status=SIGKILL, .*\} ---",
                 r"\+\+\+ exited with 0 \+\+\+")
        lines = calls_of(trace(folder, *way, "--", CALLS, "crash", expect=139))
        in_order(lines, r"--- SIGSEGV \{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10\} ---",
                 r"\+\+\+ killed by SIGSEGV( \(core dumped\))? \+\+\+")


def test_filters(folder):
    def count(*arguments):
        return len([line for line in calls_of(trace(folder, "--host", *arguments, "--", CALLS, "known")) if re.match("[a-z_]", line)])
    every = count()
    check(0 < count("-e", "close") < every)
    equal(count("-e", "!close") + count("-e", "close"), every)
    equal(count("-e", "trace=close", "-Z"), 1)
    equal(count("-e", "clo?e", "--errno", "EBADF"), 1)
    equal(count("-e", "clo?e", "-z", "--fd", "-1"), 0)
    equal(count("-P", "/etc/passwd"), 3)
    equal(count("-P", "/no/such"), 1)
    equal(count("-P", "/etc/passw?"), 3)
    equal(count("--where", "openat.flags & O_CLOEXEC && pathname == \"/etc/passwd\" && ret >= 0"), 1)
    equal(count("--where", "openat.flags & O_ACCMODE == O_RDWR"), 1)
    equal(count("--where", "call == 'read' && ret == 4 || errno == EBADF && fd == -1"), 2)
    equal(count("--where", "pathname =~ '/no/*'"), 1)
    equal(count("--process", "nobody"), 0)
    equal(count("--process", "calls", "-e", "%net"), 0)
    check(count("-e", "%file,%desc") > count("-e", "%file") > 0)
    equal(count("--min-duration", "100s"), 0)


def test_bad_filters():
    for arguments, words in ((["-e", "nosuch"], ["nosuch"]), (["-e", "%nosuch"], ["%nosuch"]), (["--errno", "EHUH"], ["EHUH"]),
                             (["--where", "(ret"], ["--where", "`)`"]), (["--where", "ret <"], ["a value"]),
                             (["--where", "nosuch == 1"], ["nosuch"]), (["--where", "openat.nosuch"], ["openat", "nosuch"]),
                             (["--where", "(" * 1000 + "1"], ["too deeply"]), (["--where", "'open"], ["quote"]),
                             (["-Z", "-z"], ["contradict"]), (["--format", "xml"], ["xml"]), (["--sort", "x", "-c"], ["x"]),
                             (["--min-duration", "soon"], ["soon"]), (["--color", "x"], ["x"]),
                             (["--where", "close.fd == 1 && openat.flags"], ["no call"]),
                             (["--output-per-process"], ["-o FILE"])):
        refused(sandbox("trace", "--host", *arguments, "--", "true"), *words)
    refused(sandbox("trace"), "no program")
    refused(sandbox("trace", "--pid", "1", "true"), "both")
    refused(sandbox("trace", "--pid", "999999999"), "999999999")
    refused(sandbox("trace", "--host", "-o", "/no/such/place", "--", "true"), "/no/such/place")


def test_jsonl_obeys_its_schema(folder):
    try:
        import jsonschema
    except ImportError:
        raise Skip("python3-jsonschema is not installed")
    with open(os.path.join(REPOSITORY, "tools/trace.schema.json")) as file:
        schema = json.load(file)
    validator = jsonschema.Draft202012Validator(schema)
    for way in WAYS:
        for case in ("known", "killed", "hostile"):
            records = [json.loads(line) for line in trace(folder, *way, "--format", "jsonl", "-y", "--", CALLS, case)]
            for record in records:
                validator.validate(record)
            calls = [record for record in records if record["type"] == "call"]
            equal((records[0]["type"], records[-1]["type"], records[-1]["calls"]), ("begin", "end", len(calls)))
    check(any(record.get("end") == "killed" for record in
              [json.loads(line) for line in trace(folder, "--host", "--format", "jsonl", "--", CALLS, "killed")]))
    for line in trace(folder, "--host", "--format", "jsonl", "-c", "--", CALLS, "known"):
        validator.validate(json.loads(line))


def test_perfetto(folder):
    document = json.loads("\n".join(trace(folder, "--format", "perfetto", "--", CALLS, "killed")))
    events = document["traceEvents"]
    for event in events:
        check({"ph", "pid", "tid", "ts", "name"} <= event.keys(), event)
        check(event["ph"] != "X" or {"dur", "cat", "args"} <= event.keys(), event)
    equal(len({event["pid"] for event in events}), 2)
    check(any(event["ph"] == "i" and event["name"] == "killed by SIGKILL" for event in events))
    check(any(event["ph"] == "M" and event["args"]["name"] == "calls" for event in events))


def test_summary(folder):
    text = "\n".join(trace(folder, "--host", "-c", "--sort", "calls", "--", CALLS, "count", "1000"))
    row = re.search(r"^ *[\d.]+ +[\d.]+ +([\d.]+) +([\d.]+) +([\d.]+) +1000 +\S+ getppid$", text, re.MULTILINE)
    check(row, text)
    p50, p99, longest = map(float, row.groups())
    check(0 < p50 <= p99 <= longest, text)
    check(re.search(r'"/etc/ld.so.cache"', text), text)


def test_output_per_process(folder):
    result = sandbox("trace", "--host", "-o", f"{folder}/out", "--output-per-process", "--", CALLS, "killed")
    equal(result.returncode, 0)
    ends = []
    for name in sorted(os.listdir(folder)):
        check(re.fullmatch(r"out\.\d+", name), name)
        with open(f"{folder}/{name}") as file:
            ends.append(file.read().splitlines()[-1])
    equal(sorted(ends), ["+++ exited with 0 +++", "+++ killed by SIGKILL +++"])


def test_what_descriptors_are(folder):
    program = f"""
import os, socket
listening = socket.socket(); listening.bind(("127.0.0.1", 0)); listening.listen()
client = socket.create_connection(listening.getsockname()); client.send(b"tcp")
local = socket.socket(socket.AF_UNIX); local.bind("{folder}/so>ck"); local.listen()
os.write(os.memfd_create("room"), b"memory")
reader, writer = os.pipe(); os.write(writer, b"pipe")
os.write(os.open("/dev/null", os.O_WRONLY), b"null")
os.unlink("{folder}/so>ck")
"""
    for way in WAYS:
        in_order(calls_of(trace(folder, *way, "-y", "--", sys.executable, "-c", program)),
                 r'sendto\(\d+<TCP:\[127\.0\.0\.1:\d+->127\.0\.0\.1:\d+\]>, "tcp", 3, .*\) = 3',
                 rf"listen\(\d+<UNIX-STREAM:\[\d+,{re.escape(folder)}/so\\76ck\]>, \d+\) = 0",
                 r'write\(\d+</memfd:room \(deleted\)>, "memory", 6\) = 6', r'write\(\d+<pipe:\[\d+\]>, "pipe", 4\) = 4',
                 r'write\(\d+</dev/null>, "null", 4\) = 4')


def test_hostile_arguments(folder):
    for way in WAYS:
        lines = trace(folder, *way, "--", CALLS, "hostile")
        check(not any("\033" in line or "\007" in line for line in lines))
        in_order(calls_of(lines), r'open\(0x[0-9a-f]+, O_RDONLY\) = -1 (EFAULT|ENOENT|ENAMETOOLONG) .*',
                 r'open\("/tmp/\\33\[31mred\\7\\n", O_RDONLY\) = -1 ENOENT .*')


def test_exec_of_a_thread_and_many_execs(folder):
    for way in WAYS:
        lines = calls_of(trace(folder, *way, "--", CALLS, "exec"))
        in_order(lines, r'execve\(.*"known"\].*\) = 0', r'read\(3, "root", 4\) = 4', r"\+\+\+ exited with 0 \+\+\+")
        lines = calls_of(trace(folder, *way, "-e", "execve", "--", CALLS, "again", "50"))
        equal(len([line for line in lines if line.startswith("execve(")]), 51)


def test_nothing_is_lost_or_out_of_order(folder):
    for way in (["--host"], []):
        lines = trace(folder, *way, "-e", "getppid", "--", CALLS, "threads", "4", "2000")
        equal(len([line for line in lines if "getppid()" in line]), 8000)
    records = [json.loads(line) for line in trace(folder, "--format", "jsonl", "-e", "getppid", "--", CALLS, "threads", "4", "500")]
    last = {}
    for record in records:
        if record["type"] == "call":
            check(record["time"] >= last.get(record["tid"], 0), record)
            last[record["tid"]] = record["time"]
    equal(len(last), 4)


def test_calls_of_32_bit_programs(folder):
    if subprocess.run([CALLS, "foreign"]).returncode != 0:
        raise Skip("the kernel runs no 32-bit calls")
    in_order(calls_of(trace(folder, "--host", "--", CALLS, "foreign")), r"i386_getpid\((0x[0-9a-f]{1,8}|0)(, (0x[0-9a-f]{1,8}|0)){5}\) = 0x[0-9a-f]+",
             r"getpid\(\) = \d+")
    calls = [json.loads(line) for line in trace(folder, "--host", "--format", "jsonl", "--", CALLS, "foreign")]
    call = next(call for call in calls if call.get("call") == "i386_getpid")
    equal((call["nr"], list(call["args"])), (20, ["ebx", "ecx", "edx", "esi", "edi", "ebp"]))


def test_numbers_that_no_call_has():
    """Of 64-bit programs, however large; of x32 programs; of 32-bit ones."""
    program = "import ctypes; call = ctypes.CDLL(None).syscall; [call(ctypes.c_long(number), 1) for number in (-1, 0x80000014, 0x40000027, 0x4000)]"
    for way in WAYS:
        result = sandbox("trace", *way, "--where", "errno == ENOSYS", "--", sys.executable, "-c", program)
        names = re.findall(r"(syscall_0x[0-9a-f]+)\(", result.stderr)
        equal((way, names), (way, ["syscall_0xffffffff", "syscall_0x80000014", "syscall_0x40000027", "syscall_0x4000"]))


def build_32_bit_program(folder):
    """Opens a file, writes a line, and ends with 7, as a static 32-bit program."""
    source = """
        .globl _start
        _start:
            mov $5, %eax; mov $path, %ebx; xor %ecx, %ecx; int $0x80
            mov $4, %eax; mov $1, %ebx; mov $line, %ecx; mov $6, %edx; int $0x80
            mov $400000, %eax; int $0x80
            mov $1, %eax; mov $7, %ebx; int $0x80
        .data
        path: .asciz "/etc/hostname"
        line: .ascii "hello\\n"
        """
    program = os.path.join(folder, "program32")
    with open(program + ".s", "w") as file:
        file.write(source)
    try:
        subprocess.run(["as", "--32", "-o", program + ".o", program + ".s"], check=True)
        subprocess.run(["ld", "-m", "elf_i386", "-o", program, program + ".o"], check=True)
        if subprocess.run([program], capture_output=True).returncode != 7:
            raise Skip("the kernel runs no 32-bit programs")
    except (OSError, subprocess.CalledProcessError):
        raise Skip("no 32-bit program can be built or run")
    return program


def test_32_bit_program(folder):
    program = build_32_bit_program(folder)
    hexadecimal = r"(0x[0-9a-f]{1,8}|0)"
    for options in ([], ["-k", "--disasm"], ["-y", "-T"]):
        result = sandbox("trace", "--host", *options, "--", program)
        equal((result.returncode, result.stdout), (7, "hello\n"))
        for name in ("open", "write", "400000", "exit"):
            check(re.search(rf"^i386_{name}\({hexadecimal}(, {hexadecimal}){{5}}\) += ", result.stderr, re.MULTILINE), result.stderr)
    for options in (["-c"], ["--explain"], ["--top"], ["-e", "%file"], ["--format", "perfetto"], ["--inject", "all:delay=1ms"], ["--profile", f"{folder}/profile"], ["--files", f"{folder}/files"]):
        result = sandbox("trace", "--host", *options, "--", program)
        equal((options, result.returncode, result.stdout), (options, 7, "hello\n"))
    # A sandbox's own table is for 64-bit calls, so it executes none of these.
    for verb in (["trace", "-o", "/dev/null"], ["run"], ["run", "--platform", "ptrace"]):
        result = sandbox(*verb, "--", program)
        refused(result, "neither an x86-64 ELF program", code=126)


def test_memory_is_bounded():
    """What the tracer takes does not grow with the calls that it has seen."""
    def peak_kib(*options, count):
        process = subprocess.Popen([SANDBOX, "trace", *options, "-o", "/dev/null", "--", CALLS, "count", str(count)])
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        equal(process.returncode, 0)
        return usage.ru_maxrss
    for options in (["--host"], ["--host", "-k", "--disasm", "-y"], ["--host", "-c"], []):
        few, many = peak_kib(*options, count=5000), peak_kib(*options, count=50000)
        check(many - few < 4096, (options, few, many))


def test_untraced_calls_make_no_stop():
    """A million of them: with a stop each this would take a minute."""
    for way in (["--host"], []):
        equal(sandbox("trace", *way, "-e", "openat", "-o", "/dev/null", "--", CALLS, "count", "1000000").returncode, 0)


def test_results_of_many_calls_as_strace_has_them(folder):
    """Long enough for results to come without a stop, where the host allows that."""
    path = os.path.join(folder, "strace")
    program = ["sh", "-c", "i=0; while [ $i -lt 1000 ]; do cd / || exit; i=$((i+1)); done; cd /no 2>/dev/null; for i in 1 2 3 4 5; do /bin/true; done"]
    try:
        subprocess.run(["strace", "-f", "-o", path, *program], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise Skip("strace is not installed or may not trace")

    def calls_by_process(lines):
        processes = {}
        for line in lines:
            call = re.match(r"(\d+) +([a-z_0-9]+)\(.*\) += (-1 [A-Z]+|.)", line)
            if call:
                result = call.group(3)
                processes.setdefault(call.group(1), []).append((call.group(2), result if result[0] == "-" else result == "?"))
        return list(processes.values())
    with open(path, errors="replace") as file:
        # A call that another process's line has cut in two is whole again.
        whole, cut = [], {}
        for line in file.read().splitlines():
            pid = line.split(" ", 1)[0]
            if "<unfinished ...>" in line:
                cut[pid] = line[:line.index("<unfinished ...>")]
            elif "resumed>" in line:
                whole.append(cut.pop(pid) + line[line.index("resumed>") + 8:])
            else:
                whole.append(line)
    equal(calls_by_process(sorted(trace(folder, "--host", "--", *program), key=lambda line: int(line.split(" ", 1)[0]))),
          calls_by_process(sorted(whole, key=lambda line: int(line.split(" ", 1)[0]))))


def test_outputs_of_many_calls_are_what_was_written(folder):
    """Each call's own, also where the next one of the thread, into the same memory, has come before it was told."""
    program = """import os
r, w = os.pipe()
for i in range(400):
    os.write(w, b"number %d" % i)
    os.read(r, 4000)
    os.truncate("file", i)
    os.stat("file")
try:
    os.read(r + 100, 10)
except OSError:
    pass
"""
    path = os.path.join(folder, "file")
    open(path, "w").close()
    lines = calls_of(trace(folder, "--host", "-e", "read,stat,newfstatat,pipe2", "--", "env", "-C", folder, sys.executable, "-c", program))
    in_order(lines, r"pipe2\(\[\d+, \d+\], O_CLOEXEC\) = 0",
             *(line for i in range(400) for line in (rf'read\(\d+, "number {i}", 4000\) = {len(str(i)) + 7}',
                                                     rf'(new)?f?stat(at)?\(.*"file", \{{st_mode=S_IFREG\|0\d+, st_size={i}, \.\.\.\}}.*\) = 0')),
             r"read\(\d+, 0x[0-9a-f]+, 10\) = -1 EBADF .*")


def test_killed_call_has_no_result(folder):
    """Also where results come without a stop: the kernel gives such a call one."""
    program = f"i=0; while [ $i -lt 1000 ]; do cd /; i=$((i+1)); done; exec {CALLS} killed"
    in_order(calls_of(trace(folder, "--host", "--", "sh", "-c", program)), r"pause\(\) = \?", r"\+\+\+ killed by SIGKILL \+\+\+")


def test_calls_that_a_filter_of_the_program_refuses(folder):
    lines = calls_of(trace(folder, "--host", "--", CALLS, "filtered"))
    in_order(lines, r"prctl\(PR_SET_SECCOMP, .*\) = 0", r"getppid\(\) = -1 EBADFD .*", r"getuid\(\) = 0|getuid\(\) = \d+",
             r"getppid\(\) = -1 EBADFD .*", r"exit_group\(0\) = \?", r"exit_group\(0\) = \?")
    equal(len([line for line in lines if line.startswith("getppid(")]), 2)
    equal(len([line for line in lines if line.startswith("getuid(")]), 1)


def test_affinity_is_the_programs_own(folder):
    program = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do /bin/true; done; nproc; taskset -c 0 nproc; nproc"]
    expected = subprocess.run(program, stdout=subprocess.PIPE, text=True).stdout
    for filters in ([], ["-e", "%file"]):
        traced = sandbox("trace", "--host", *filters, "-o", os.path.join(folder, "trace"), "--", *program)
        equal((filters, traced.stdout), (filters, expected))


def test_full_disk():
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    for way in (["--host"], []):
        result = sandbox("trace", *way, "-o", "/dev/full", "--", CALLS, "known")
        equal(result.returncode, 0)
        check("could not be written to /dev/full: No space left on device (ENOSPC)" in result.stderr, result.stderr)


def test_reader_goes_away():
    for way in (["--host"], []):
        reading, writing = os.pipe()
        process = subprocess.Popen([SANDBOX, "trace", *way, "-o", "-", "--", CALLS, "count", "5000"], stdout=writing,
                                   stderr=subprocess.PIPE)
        os.close(writing)
        os.close(reading)
        _, errors = process.communicate(timeout=50)
        equal((process.returncode, errors), (0, b""))


def test_attach_and_detach(folder):
    """Ctrl-C lets the program go, which lives on untraced."""
    program = subprocess.Popen(["sh", "-c", "while :; do cat /dev/null; done"])
    try:
        path = os.path.join(folder, "trace")
        tracer = subprocess.Popen([SANDBOX, "trace", "--pid", str(program.pid), "-o", path])
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 1000, "nothing was traced")
        tracer.send_signal(signal.SIGINT)
        equal(tracer.wait(20), 0)
        with open(f"/proc/{program.pid}/status") as file:
            check("TracerPid:\t0" in file.read())
        equal(program.poll(), None)
    finally:
        program.kill()
        program.wait()


def test_attach_to_what_has_ended(folder):
    """A first thread that is gone hinders nobody; a process that is gone is told as such."""
    program = "import ctypes, threading, time\nthreading.Thread(target=lambda: [time.sleep(0.01) for _ in range(100000)]).start()\nctypes.CDLL(None).pthread_exit(None)"
    ended, headless = subprocess.Popen(["true"]), subprocess.Popen([sys.executable, "-c", program])

    def state_of(process):
        with open(f"/proc/{process.pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    try:
        wait_until(lambda: state_of(ended) == "Z" and state_of(headless) == "Z", "they do not end")
        refused(sandbox("trace", "--pid", str(ended.pid)), "ESRCH", "Z for one that has ended")
        path = os.path.join(folder, "trace")
        tracer = subprocess.Popen([SANDBOX, "trace", "--pid", str(headless.pid), "-o", path])
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 500, "nothing was traced")
        tracer.send_signal(signal.SIGINT)
        equal(tracer.wait(20), 0)
        equal(headless.poll(), None)
    finally:
        headless.kill()
        headless.wait()
        ended.wait()


def test_attach_to_a_waiting_program(folder):
    program = subprocess.Popen([CALLS, "wait"])
    try:
        path = os.path.join(folder, "trace")
        tracer = subprocess.Popen([SANDBOX, "trace", "--pid", str(program.pid), "-o", path])
        def is_traced():
            with open(f"/proc/{program.pid}/status") as file:
                return f"TracerPid:\t{tracer.pid}" in file.read()
        wait_until(is_traced, "it is not attached")
        program.send_signal(signal.SIGTERM)
        equal((tracer.wait(20), program.wait(20)), (0, -signal.SIGTERM))
        with open(path) as file:
            in_order(calls_of(file.read().splitlines()), r"--- SIGTERM \{si_signo=SIGTERM, si_code=SI_USER, .*\} ---",
                     r"\+\+\+ killed by SIGTERM \+\+\+")
    finally:
        program.kill()
        program.wait()


def test_program_that_is_not_there():
    for way in (["--host"], []):
        result = sandbox("trace", *way, "--", "/no/such/program")
        refused(result, "/no/such/program", "ENOENT", code=127) if not way else equal(result.returncode, 127)


def test_exit_codes():
    for way in WAYS:
        equal(sandbox("trace", *way, "-o", "/dev/null", "--", "sh", "-c", "exit 7").returncode, 7)
        equal(sandbox("trace", *way, "-o", "/dev/null", "--", "sh", "-c", "kill -TERM $$").returncode, 143)


if __name__ == "__main__":
    main(globals())
