"""`sandbox trace --top`: plain tables where there is no terminal, and on one a view that follows keys."""
import os
import pty
import select
import subprocess
import sys
import termios
import time

from cases import SANDBOX, check, equal, main, refused, sandbox
from test_live import Running

LOOP = "import os, time\nend = time.monotonic() + 1.5\nwhile time.monotonic() < end:\n    os.getppid()\n    os.access('/no/such', 0)"


def test_tables():
    for way in (["--host"], []):
        result = sandbox("trace", *way, "--top", "--", "python3", "-c", LOOP)
        equal(result.returncode, 0)
        tables = result.stderr.rstrip("\n").split("\n\n")
        check(len(tables) >= 2, result.stderr)
        for table in tables:
            head, first, *_ = table.splitlines()
            equal(head.split(), ["PID", "calls/s", "errors/s", "p50", "us", "p99", "us", "max", "us", "most", "called", "program"])
            check(float(first.split()[1]) > 0 and first.rstrip().endswith('python3"'), table)
        check("\x1b" not in result.stderr, result.stderr)


BUSY = "import os\nwhile True: os.getppid()"
FAILING = "import os, time\nwhile True:\n    os.access('/no/such', 0)\n    time.sleep(0.01)"
SLOW = "import os, time\nwhile True: time.sleep(0.1)"
HOME = "\x1b[H\x1b[J"


class Terminal:
    """The command with a terminal of its own."""

    def __init__(self, *arguments):
        self.pid, self.screen = pty.fork()
        if self.pid == 0:
            os.execv(SANDBOX, [SANDBOX, *arguments])
        self.text = ""

    def rows(self):
        """Of the last table that is there as a whole: the next one has begun."""
        tables = self.text.split(HOME)
        return [line.split() for line in tables[-2].splitlines()[1:]] if len(tables) > 2 else []

    def wait_for(self, condition):
        end = time.monotonic() + 30
        while not condition(self.rows()):
            check(time.monotonic() < end, repr(self.text[-3000:]))
            if select.select([self.screen], [], [], 1)[0]:
                self.text += os.read(self.screen, 65536).decode(errors="replace")

    def type(self, key):
        os.write(self.screen, key)

    def end(self):
        """Its exit code, once it has put the terminal back."""
        while True:
            try:
                if not os.read(self.screen, 65536):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def follows_keys(terminal, is_busy, is_failing, is_slow):
    terminal.wait_for(lambda rows: len(rows) == 3 and is_busy(rows[0]))
    flags = termios.tcgetattr(terminal.screen)[3]
    check(flags & termios.ECHO == 0)
    terminal.type(b"e")
    terminal.wait_for(lambda rows: len(rows) == 3 and is_failing(rows[0]))
    terminal.type(b"?l")
    terminal.wait_for(lambda rows: len(rows) == 3 and is_slow(rows[0]))
    terminal.type(b"c")
    terminal.wait_for(lambda rows: len(rows) == 3 and is_busy(rows[0]))
    # Tables take the place of the one before.
    check("\r\n\r\n" not in terminal.text, terminal.text)
    terminal.type(b"q")
    equal(terminal.end(), 0)


def test_keys_on_the_host():
    programs = [subprocess.Popen([sys.executable, "-c", text]) for text in (BUSY, FAILING, SLOW)]
    try:
        terminal = Terminal("trace", "--top", *[word for program in programs for word in ("-p", str(program.pid))])
        follows_keys(terminal, *[lambda row, pid=program.pid: row[0] == str(pid) for program in programs])
        equal([program.poll() for program in programs], [None] * 3)
    finally:
        for program in programs:
            program.kill()
            program.wait()


def test_terminal_is_put_back_when_it_ends_at_once():
    program = subprocess.Popen([sys.executable, "-c", SLOW])
    try:
        for _ in range(10):
            # Whoever has the terminal outlives the command, as a shell does.
            pid, screen = pty.fork()
            if pid == 0:
                os.execvp("sh", ["sh", "-c", f"trap : INT; {SANDBOX} trace --top -p {program.pid}; stty -a"])
            end = time.monotonic() + 30
            while termios.tcgetattr(screen)[3] & termios.ECHO:
                check(time.monotonic() < end, "it never reads keys")
            os.write(screen, b"\x03")
            text = b""
            try:
                while part := os.read(screen, 65536):
                    text += part
            except OSError:
                pass
            os.waitpid(pid, 0)
            os.close(screen)
            check(b" icanon " in text and b" echo " in text, text.decode(errors="replace"))
        equal(program.poll(), None)
    finally:
        program.kill()
        program.wait()


def test_keys_in_a_running_sandbox():
    script = " & ".join(f'python3 -c "{text}"' for text in (BUSY, FAILING, SLOW))
    for engine in ("notify", "ptrace"):
        with Running("bash", "-c", script + " & wait", engine=engine) as running:
            terminal = Terminal("trace", "--top", "-p", running.name)
            follows_keys(terminal, lambda row: row[6] == "getppid", lambda row: float(row[2]) > 0, lambda row: row[6] == "clock_nanosleep" and float(row[2]) == 0)
            equal((engine, running.process.poll()), (engine, None))


def test_order_without_a_terminal():
    script = " & ".join(f'timeout 2 python3 -c "{text}"' for text in (BUSY, FAILING)) + " & wait"
    for way in (["--host"], []):
        for order, is_first in (("calls", ("getppid",)), ("errors", ("access", "clock_nanosleep")), ("latency", ())):
            result = sandbox("trace", *way, "--top", "--sort", order, "--process", "python3", "--", "bash", "-c", script)
            rows = [table.splitlines()[1].split() for table in result.stderr.rstrip("\n").split("\n\n")]
            # The first second is that of starting.
            check(not is_first or any(row[6] in is_first for row in rows[1:]), result.stderr)
            check('"python3"' in result.stderr or "/python3" in result.stderr, result.stderr)


def test_refused():
    refused(sandbox("trace", "--top", "--format", "jsonl", "--", "true"), "--top")
    refused(sandbox("trace", "--top", "--sort", "colour", "--", "true"), "--sort", "colour")
    refused(sandbox("trace", "-c", "--sort", "latency", "--", "true"), "--sort", "latency")


if __name__ == "__main__":
    main(globals())
