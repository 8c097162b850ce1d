"""`sandbox trace -p NAME`: watching a sandbox that runs already, through its sentry."""
import json
import os
import re
import select
import signal
import subprocess
import threading
import time

from cases import SANDBOX, Skip, check, equal, main, refused, sandbox, wait_until
from test_stacks import STACKS, stacks_of
from test_trace import CALLS, calls_of, in_order

ENGINES = ("notify", "ptrace")
LOOP = "while :; do cat /etc/hostname > /dev/null; sleep 0.02; done"


class Running:
    """A named sandbox; it is ended when the block is left."""
    count = 0

    def __init__(self, *arguments, engine="notify"):
        Running.count += 1
        self.name = f"live{os.getpid()}-{Running.count}"
        self.process = subprocess.Popen([SANDBOX, "run", "--platform", engine, "--name", self.name, "--", *arguments],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: self.name in sandbox("ps").stdout or self.process.poll() is not None, "it does not start")
        if self.process.poll() is not None:
            text = self.process.stderr.read()
            raise Skip(f"no named sandbox here: {text}") if "cannot" in text else AssertionError(text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def trace(self, *options, **streams):
        return subprocess.Popen([SANDBOX, "trace", "-p", self.name, *options], stdin=subprocess.DEVNULL, **streams)

    def trace_for_a_while(self, path, *options, size=20000):
        """Until the trace has that many bytes; then Ctrl-C. Its lines."""
        if os.path.exists(path):
            os.unlink(path)
        tracer = self.trace("-o", path, *options)
        wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > size, "nothing is traced")
        tracer.send_signal(signal.SIGINT)
        equal(tracer.wait(20), 0)
        equal(self.process.poll(), None)
        with open(path, errors="surrogateescape") as file:
            return file.read().splitlines()


def test_attach_and_detach(folder):
    for engine in ENGINES:
        with Running("sh", "-c", LOOP, engine=engine) as running:
            for attempt in range(2):
                lines = calls_of(running.trace_for_a_while(f"{folder}/trace", "-T"))
                in_order(lines, r'execve\("/.*/cat", \["cat", "/etc/hostname"\], .*\) = 0 <.*>',
                         r'openat\(AT_FDCWD, "/etc/hostname", O_RDONLY\) = 3 <.*>', r"read\(3, .*\) = \d+ <.*>", r"close\(3\) = 0 <.*>",
                         r"exit_group\(0\) = \?", r"\+\+\+ exited with 0 \+\+\+")
                # What the sentry answers and what the kernel does both have results; only what never returns has none.
                unknown = [line for line in lines if line.endswith("= ?") and not line.startswith("exit_group(")]
                equal((engine, attempt, unknown), (engine, attempt, []))


def test_filters_stacks_and_formats(folder):
    for engine in ENGINES:
        with Running("sh", "-c", f"while :; do {STACKS} deep 2; done", engine=engine) as running:
            lines = running.trace_for_a_while(f"{folder}/trace", "-k", "-e", "getppid", size=3000)
            # The shell itself asks at its start, and has no names of functions.
            stacks = stacks_of(lines, "getppid")
            check(any("main" in stack and stack[-1] == "_start" for stack in stacks), stacks)
            records = [json.loads(line) for line in running.trace_for_a_while(f"{folder}/trace", "--format", "jsonl", "-e", "openat", "-Z", size=3000)]
            equal((records[0]["type"], records[-1]["type"]), ("begin", "end"))
            check(all(record["error"] for record in records if record["type"] == "call"))
            # Nothing is seen of it while it counts, so it may have come too late for a call.
            for seconds in ("0.5", "5", "20"):
                summary = subprocess.run(["timeout", "-s", "INT", seconds, SANDBOX, "trace", "-p", running.name, "-c"], capture_output=True, text=True)
                if "getppid" in summary.stderr:
                    break
            check("getppid" in summary.stderr, summary.stderr)


def test_findings(folder):
    for engine in ENGINES:
        profile, files = f"{folder}/profile-{engine}", f"{folder}/files-{engine}"
        with Running("sh", "-c", "while :; do cat /etc/hostname /etc/no-such > /dev/null 2>&1; mkdir /tmp/d; rmdir /tmp/d; sleep 0.02; done", engine=engine) as running:
            tracer = running.trace("-o", f"{folder}/trace", "--profile", profile, "--files", files, "--explain", stderr=subprocess.PIPE, text=True)
            # Who is traced in the middle of the first round is traced for the whole of the second.
            count = lambda word: open(f"{folder}/trace").read().count(word) if os.path.exists(f"{folder}/trace") else 0
            wait_until(lambda: count("rmdir(") > 2 and count("exited with 1") > 2, "too little is traced")
            tracer.send_signal(signal.SIGINT)
            _, text = tracer.communicate(timeout=20)
            equal((engine, tracer.returncode, running.process.poll()), (engine, 0, None))
            with open(profile) as file:
                check({"openat", "mkdir", "rmdir", "wait4"} <= set(json.load(file)["syscalls"][0]["names"]))
            with open(files) as file:
                lines = file.read().splitlines()
            check("r-- /etc/hostname" in lines and "-w- /tmp/d" in lines and "-w- /dev/null" in lines and "--x /usr/bin/cat" in lines, lines)
            check("explanation: /usr/bin/cat" in text and "/etc/no-such does not exist" in text, text)
            with open(f"{folder}/trace", "rb") as file:
                check(b"\0" not in file.read())
            os.unlink(f"{folder}/trace")


def test_explained_end(folder):
    """The end of the sandbox itself."""
    for engine in ENGINES:
        with Running("sh", "-c", f"while [ ! -e {folder}/go-{engine} ]; do sleep 0.02; done; exec cat /etc/no-such", engine=engine) as running:
            path = f"{folder}/trace-{engine}"
            tracer = running.trace("--explain", "-o", path, stderr=subprocess.PIPE, text=True)
            wait_until(lambda: os.path.exists(path) and os.path.getsize(path) > 0, "nothing is traced")
            open(f"{folder}/go-{engine}", "w").close()
            _, text = tracer.communicate(timeout=20)
            equal((engine, running.process.wait(20)), (engine, 1))
            check(text.startswith("explanation: /usr/bin/cat") and "/etc/no-such does not exist" in text, text)


def test_injection(folder):
    script = "n=0; while [ ! -e %s/end ]; do n=$((n + 1)); mkdir /tmp/d$n; rmdir /tmp/d$n; sleep 0.02; done; exit 6" % folder
    for engine in ENGINES:
        with Running("sh", "-c", script, engine=engine) as running:
            def injected(rule, pattern):
                lines = []
                tracer = running.trace("-o", f"{folder}/trace", "--inject", rule)
                def has_come():
                    lines[:] = calls_of(open(f"{folder}/trace", errors="replace").read().splitlines()) if os.path.exists(f"{folder}/trace") else []
                    return any(re.search(pattern, line) for line in lines)
                wait_until(has_come, lines)
                tracer.send_signal(signal.SIGINT)
                equal((engine, rule, tracer.wait(20), running.process.poll()), (engine, rule, 0, None))
                os.unlink(f"{folder}/trace")

            injected("mkdir:error=ENOSPC", r'^mkdir\("/tmp/d\d+", 0777\) = -1 ENOSPC .*\(INJECTED\)$')
            injected("umask:retval=077", r"^wait4\(")  # nobody calls it
            injected("read:short=100", r"^read\(3, .*, 832\) = 100 \(INJECTED\)$")
            injected("pread64:retval=-5", r"^pread64\(.*\) = -1 EIO .*\(INJECTED\)$")
            injected("execve:error=ENOMEM:when=1", r"^execve\(.*\) = -1 ENOMEM .*\(INJECTED\)$")
            injected("rmdir:signal=SIGTERM", r"^--- SIGTERM .*$")
            injected("getdents64,newfstatat,rmdir:delay=20ms", r"^rmdir\(.*\) = 0")
            # Who is held goes on when the trace ends.
            injected("rmdir:delay=60s", r'^execve\("/usr/bin/rmdir", .*\) = 0')
            open(f"{folder}/end", "w").close()
            # Of those that failed nothing is left but their words.
            equal((engine, running.process.wait(20)), (engine, 6))
            text = running.process.stderr.read()
            check("No space left on device" in text and "Input/output error" in text, text)
        os.unlink(f"{folder}/end")


def test_end_of_the_sandbox(folder):
    for engine in ENGINES:
        with Running("sh", "-c", f"trap 'exit 3' USR1; {LOOP}", engine=engine) as running:
            path = f"{folder}/{engine}"
            tracer = running.trace("-o", path)
            wait_until(lambda: os.path.exists(path) and "/etc/hostname" in open(path).read(), "the loop is not traced")
            running.process.send_signal(signal.SIGUSR1)
            equal(tracer.wait(20), 0)
            equal(running.process.wait(20), 3)
            with open(path) as file:
                in_order(calls_of(file.read().splitlines()), r"exit_group\(3\) = \?", r"\+\+\+ exited with 3 \+\+\+")


def test_only_one_at_a_time(folder):
    with Running("sh", "-c", LOOP) as running:
        tracer = running.trace("-o", f"{folder}/first")
        wait_until(lambda: os.path.exists(f"{folder}/first") and os.path.getsize(f"{folder}/first") > 0, "nothing is traced")
        refused(sandbox("trace", "-p", running.name), "EBUSY")
        # Without a word to the sentry: the end of its connection ends the trace.
        tracer.kill()
        tracer.wait()
        check(running.trace_for_a_while(f"{folder}/second"))


def test_refusals():
    refused(sandbox("trace", "-p", "no-such-sandbox"), "no-such-sandbox", "ENOENT")
    refused(sandbox("trace", "-p", "a", "-p", "1"), "besides")
    refused(sandbox("trace", "-p", "a", "--host"), "besides")
    refused(sandbox("trace", "-p", "a", "true"), "both")
    refused(sandbox("trace", "-p", "a", "--explain", "-Z"), "--explain")
    with Running("sleep", "20") as running:
        refused(sandbox("trace", "-p", running.name, "--where", "nosuch == 1"), "nosuch")
        refused(sandbox("trace", "-p", running.name, "--rootfs", "/x"), "--rootfs")
        refused(sandbox("trace", "-p", running.name, "--output-per-process", "-o", "x"), "--output-per-process")
    process = subprocess.Popen([SANDBOX, "trace", "-o", "/dev/null", "--name", "traced-already", "--", "sleep", "20"])
    try:
        wait_until(lambda: "traced-already" in sandbox("ps").stdout, "it does not start")
        refused(sandbox("trace", "-p", "traced-already"), "from its start")
    finally:
        process.kill()
        process.wait()


def test_reader_that_does_not_read():
    """The program waits for it, as under any tracer, until Ctrl-C."""
    with Running("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); umask; done > /dev/null; exit 5") as running:
        reading, writing = os.pipe()
        tracer = running.trace("-o", "-", stdout=writing)
        os.close(writing)
        select.select([reading], [], [])
        time.sleep(1)  # for the pipe to be full
        tracer.send_signal(signal.SIGINT)
        equal(tracer.wait(20), 0)
        os.close(reading)
        equal(running.process.wait(30), 5)


def test_program_is_none_the_wiser(folder):
    """Traces come and go while it forks, executes from threads, gets descriptors and signals."""
    script = f"""
        for i in 1 2 3 4 5 6; do
          {CALLS} known || exit 11
          {CALLS} threads 4 300 || exit 12
          {CALLS} exec || exit 13
          {CALLS} again 5 || exit 14
          {CALLS} killed || exit 15
          [ "$(seq 1 2000 | sort -n | tail -1)" = 2000 ] || exit 16
          mkdir d && echo x > d/f && mv d/f d/g && rm -r d || exit 17
          {STACKS} signal || exit 18
        done
        exit 9"""
    for engine in ENGINES:
        with Running("sh", "-c", script, engine=engine) as running:
            errors = []

            def come_and_go():
                while running.process.poll() is None:
                    tracer = running.trace("-o", "/dev/null", "-y", stderr=subprocess.PIPE, text=True)
                    time.sleep(0.15)
                    tracer.send_signal(signal.SIGINT)
                    _, text = tracer.communicate(timeout=30)
                    # Ctrl-C may come before the tracer has begun to listen to it.
                    if tracer.returncode not in (0, -signal.SIGINT) and running.process.poll() is None:
                        errors.append((tracer.returncode, text))
            visitor = threading.Thread(target=come_and_go)
            visitor.start()
            running.process.wait(50)
            visitor.join()
            equal((engine, running.process.returncode, running.process.stderr.read()), (engine, 9, ""))
            # At its very end there may be nobody any more to come.
            check(len(errors) <= 1, errors)


if __name__ == "__main__":
    main(globals())
