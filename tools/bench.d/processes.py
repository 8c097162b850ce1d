"""Starts a target's command with a time limit, leaves nothing of it running, and looks at its process tree."""

import ctypes
import os
import select
import signal
import subprocess
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36


class Failure(Exception):
    """A target could not do a case; the text says why."""


def adopt_orphans():
    """What a target leaves behind becomes our child, so that it can be found and ended."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def children_of(pid):
    pids = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            pids += [int(word) for word in read_text(f"/proc/{pid}/task/{thread}/children").split()]
    except OSError:
        pass
    return pids


def tree_of(pid):
    """The process and all its descendants."""
    found = [pid]
    for known in found:
        found += [child for child in children_of(known) if child not in found]
    return found


def end_leftovers():
    """Kills and reaps every descendant of ours; called only between commands."""
    for _ in range(50):
        descendants = tree_of(os.getpid())[1:]
        if not descendants:
            return
        for pid in descendants:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.02)


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def status_text(code):
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def start(argv, environment, pinned_cpu, errors):
    def pin():
        if pinned_cpu is not None:
            os.sched_setaffinity(0, {pinned_cpu})

    try:
        return subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                start_new_session=True, preexec_fn=pin)
    except OSError as error:
        raise Failure(f"cannot start {argv[0]}: {error.strerror}") from error


class Output:
    """What a command printed, how it ended badly (None when well), and the last thing it said about that."""

    def __init__(self, text, trouble, said=""):
        self.text = text
        self.trouble = trouble
        self.said = said

    def reason(self, inner=""):
        """Why there is no result; `inner` is what micro.c reported about the program it ran."""
        trouble = inner or self.trouble or "printed no result"
        return f"{trouble}: {self.said}" if self.said else trouble


def run(argv, environment, timeout_s, pinned_cpu=None):
    """Runs the command to its end or to the time limit."""
    with tempfile.TemporaryFile(mode="w+", errors="replace") as errors:
        process = start(argv, environment, pinned_cpu, errors)
        trouble = None
        try:
            text = process.communicate(timeout=timeout_s)[0]
        except subprocess.TimeoutExpired:
            trouble = f"no end after {timeout_s:.0f} s"
            end_leftovers()
            text = process.communicate()[0]
        except BaseException:
            end_leftovers()
            raise
        end_leftovers()
        if trouble is None and process.returncode != 0:
            trouble = status_text(process.returncode)
        errors.seek(0)
        return Output(text.decode(errors="replace"), trouble, last_line(errors.read()))


def is_supervisor(pid, workload):
    """Whether a process of a target's tree is the target's own, neither the workload nor traced by the target."""
    status = read_text(f"/proc/{pid}/status")
    traced = any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in status.splitlines())
    return "VmRSS:" in status and not traced and read_text(f"/proc/{pid}/cmdline").split("\0")[0] != workload


def resident_kib(pid):
    return sum(int(line.split()[1]) for line in read_text(f"/proc/{pid}/status").splitlines() if line.startswith("VmRSS:"))


def cpu_ns(pid):
    """CPU time of all threads: schedstat counts nanoseconds, where utime of /proc/PID/stat counts ticks."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return 0
    return sum(int((read_text(f"/proc/{pid}/task/{thread}/schedstat").split() or ["0"])[0]) for thread in threads)


def watch_idle(argv, environment, workload, watch_s, timeout_s):
    """Resident bytes, and CPU microseconds a second, of a target's own processes while its workload sleeps."""
    with tempfile.TemporaryFile(mode="w+", errors="replace") as errors:
        process = start(argv, environment, None, errors)
        try:
            ready, _, _ = select.select([process.stdout], [], [], timeout_s)
            if not ready or process.stdout.readline().strip() != b"ready":
                errors.seek(0)
                raise Failure("the workload did not start: " + (last_line(errors.read()) or "no message"))
            time.sleep(0.5)
            own = [pid for pid in tree_of(process.pid) if is_supervisor(pid, workload)]
            before, began = sum(map(cpu_ns, own)), time.monotonic()
            time.sleep(watch_s)
            used = sum(map(cpu_ns, own)) - before
            return sum(map(resident_kib, own)) * 1024, used / 1000 / (time.monotonic() - began)
        finally:
            end_leftovers()
            process.stdout.close()
            process.wait()
