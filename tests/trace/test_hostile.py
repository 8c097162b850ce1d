"""Programs that mean the tracer ill: it neither fails nor hangs, the program notices nothing, the terminal obeys nobody."""
import json
import os
import re
import signal
import subprocess
import sys

from cases import SANDBOX, Skip, check, equal, main, sandbox, wait_until

GUESTS = os.environ.get("TRACE_GUESTS", ".")
HOSTILE = os.path.join(GUESTS, "hostile_arguments")
CALLS = os.path.join(GUESTS, "calls")
WAYS = (["--host"], ["--platform", "ptrace"], ["--platform", "notify"])
FORMS = ([], ["-v", "-s", "100000"], ["-y"], ["--format", "jsonl"], ["--format", "perfetto"], ["-c"], ["--top"], ["--arg-names"])


def test_hostile_arguments(folder):
    expected = {"host": subprocess.run([HOSTILE], capture_output=True, text=True).stdout,
                "sandbox": sandbox("run", "--", HOSTILE).stdout}
    check(expected["host"].count("\n") > 25, expected)
    path = os.path.join(folder, "trace")
    for way in WAYS:
        forms = FORMS if "notify" in way else FORMS + (["-k"], ["--disasm"], ["--explain"])
        for form in forms:
            result = sandbox("trace", *way, *form, "-o", path, "--", HOSTILE)
            equal((way, form, result.returncode, result.stdout), (way, form, 0, expected["host" if way == ["--host"] else "sandbox"]))
            with open(path, "rb") as file:
                text = file.read()
            # Whatever a terminal could obey is printed as an escape.
            check(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", text) and b"\xc2\x9b" not in text, (way, form))
            if "jsonl" in form:
                for line in text.decode("utf-8").splitlines():
                    json.loads(line)
            if "perfetto" in form:
                json.loads(text)


def test_exec_for_ever(folder):
    """It ends with the signal that ends the program, and lets one go that it is attached to."""
    loop = os.path.join(folder, "loop")
    with open(loop, "w") as file:
        file.write('#!/bin/sh\nexec "$0"\n')
    os.chmod(loop, 0o755)
    path = os.path.join(folder, "trace")

    def has_seen(count):
        return os.path.exists(path) and open(path, errors="replace").read().count("execve(") > count
    for way in (["--host"], [], ["--host", "-k"]):
        tracer = subprocess.Popen([SANDBOX, "trace", *way, "-o", path, "--", loop])
        wait_until(lambda: has_seen(50), "nothing is traced")
        tracer.send_signal(signal.SIGTERM)
        equal((way, tracer.wait(20)), (way, 128 + signal.SIGTERM))
        os.unlink(path)
    program = subprocess.Popen([loop])
    try:
        # Often enough to come in the middle of an execve.
        for _ in range(10):
            tracer = subprocess.Popen([SANDBOX, "trace", "-o", path, "-p", str(program.pid)])
            try:
                wait_until(lambda: has_seen(50), "nothing is traced")
            finally:
                tracer.send_signal(signal.SIGINT)
                equal(tracer.wait(20), 0)
            os.unlink(path)
        equal(program.poll(), None)
        with open(f"/proc/{program.pid}/status") as file:
            check("TracerPid:\t0\n" in file.read())
    finally:
        program.kill()
        program.wait()


def test_thousand_threads(folder):
    path = os.path.join(folder, "trace")
    for way in (["--host"], []):
        equal((way, sandbox("trace", *way, "-o", path, "-e", "clone,clone3,getppid", "--", CALLS, "threads", "1000", "3").returncode), (way, 0))
        with open(path) as file:
            lines = file.read().splitlines()
        # Of each: it was born, made its calls, and ended.
        equal((way, len([line for line in lines if re.search(r"clone3?\(.*\) += \d+", line)]), len([line for line in lines if "getppid(" in line]),
               len([line for line in lines if "+++ exited with 0 +++" in line])), (way, 1000, 3000, 1001))


WAITING = {
    "sleep": "import time; begin = time.monotonic(); ready(); time.sleep(1); print(time.monotonic() - begin >= 1)",
    "poll": "import select; ready(); print(select.select([], [], [], 1) == ([], [], []))",
    "read": "import os; reader, writer = os.pipe(); import threading, time; threading.Timer(1, os.write, (writer, b'x')).start(); ready(); print(os.read(reader, 9) == b'x')",
    "wait": "import os, time\nchild = os.fork()\nif child == 0:\n    time.sleep(1)\n    os._exit(3)\nready()\nprint(os.waitpid(child, 0)[1] == 3 << 8)",
    "signal": "import signal; ready(); print(signal.sigtimedwait([signal.SIGUSR1], 1) is None)",
    "busy": "import os, time; ready(); end = time.monotonic() + 1\nwhile time.monotonic() < end: os.getppid()\nprint(True)",
    "forks": "import os, time\nready()\nend = time.monotonic() + 1\nwhile time.monotonic() < end:\n    child = os.fork()\n    if child == 0: os._exit(0)\n    assert os.waitpid(child, 0)[1] == 0\nprint(True)",
}


def test_detaching_leaves_no_trace(folder):
    """From a program in whatever call; it ends as if nobody had looked."""
    for name, text in WAITING.items():
        program = subprocess.Popen([sys.executable, "-u", "-c", "def ready(): print('ready', flush=True)\n" + text], stdout=subprocess.PIPE, text=True)
        equal(program.stdout.readline(), "ready\n")
        for attempt in range(3):
            tracer = subprocess.Popen([SANDBOX, "trace", "-o", os.path.join(folder, "trace"), "-p", str(program.pid)])
            wait_until(lambda: program.poll() is not None or f"TracerPid:\t{tracer.pid}\n" in open(f"/proc/{program.pid}/status").read(), "it is not traced")
            tracer.send_signal(signal.SIGINT)
            code = tracer.wait(20)
            check(code == 0 or program.poll() is not None, (name, attempt, code))
        equal((name, program.communicate(timeout=20)[0], program.returncode), (name, "True\n", 0))


def test_detaching_from_a_stopped_process(folder):
    program = subprocess.Popen(["sleep", "60"])
    try:
        program.send_signal(signal.SIGSTOP)
        wait_until(lambda: "State:\tT" in open(f"/proc/{program.pid}/status").read(), "it does not stop")
        tracer = subprocess.Popen([SANDBOX, "trace", "-o", os.path.join(folder, "trace"), "-p", str(program.pid)])
        wait_until(lambda: f"TracerPid:\t{tracer.pid}\n" in open(f"/proc/{program.pid}/status").read(), "it is not traced")
        tracer.send_signal(signal.SIGINT)
        equal(tracer.wait(20), 0)
        # It is stopped still, and goes on when it is told to.
        wait_until(lambda: "State:\tT" in open(f"/proc/{program.pid}/status").read(), "it does not stay stopped")
        program.send_signal(signal.SIGCONT)
        program.send_signal(signal.SIGTERM)
        equal(program.wait(20), -signal.SIGTERM)
    finally:
        program.kill()
        program.wait()


def test_small_disk(folder):
    """The program goes on; what is lost is counted. Whoever asks for more than the trace is told what could not be written."""
    small = os.path.join(folder, "small")
    os.mkdir(small)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True).returncode != 0:
        raise Skip("needs to mount a small file system")
    program = ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do cat /etc/hostname > /dev/null; done; exit 5"]
    try:
        for way in WAYS:
            for form in ([], ["--format", "jsonl"], ["--format", "perfetto"], ["--output-per-process"]):
                result = sandbox("trace", *way, *form, "-o", f"{small}/trace", "--", *program)
                equal((way, form, result.returncode), (way, form, 5))
                check(re.search(r"\d+ records of the trace could not be written .* \(ENOSPC\)", result.stderr), result.stderr)
                for name in os.listdir(small):
                    os.unlink(f"{small}/{name}")
        with open(f"{small}/fill", "wb") as file:
            try:
                file.write(bytes(1 << 20))
            except OSError:
                pass
        result = sandbox("trace", "--host", "--profile", f"{small}/profile", "--", "true")
        check(result.returncode == 125 and "cannot write the seccomp profile" in result.stderr and "ENOSPC" in result.stderr, result.stderr)
    finally:
        subprocess.run(["umount", small])


if __name__ == "__main__":
    main(globals())
