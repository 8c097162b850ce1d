"""Verbs for a sandbox that runs: ps, top, stats, pause, resume, update, gc."""
import json
import os
import signal
import subprocess
import time

from cases import check, equal, is_alive, main, refused, SANDBOX, sandbox, Skip, wait_until
from test_limits import groups_of, need_groups, start, unique

VERBS = ("ps", "stats", "top", "pause", "resume", "update")


class Running:
    """A named sandbox that runs a shell script after it has said that it is ready."""

    def __init__(self, name, script, *options, before=""):
        need_groups()
        self.name = unique(name)
        self.process = start("--name", self.name, *options, "--", "bash", "-c", f"{before}echo ready; {script}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        sandbox("gc")

    def stats(self):
        result = sandbox("stats", "--format", "json", self.name)
        equal((result.returncode, result.stderr), (0, ""))
        return json.loads(result.stdout)[0]

    def ask(self):
        """Another line of the program's output."""
        self.process.send_signal(signal.SIGUSR1)
        return self.process.stdout.readline()


COUNT = "i=0; while :; do i=$((i + 1)); done"


def test_names_that_do_not_run():
    for verb in VERBS:
        more = ["--memory", "64m"] if verb == "update" else []
        refused(sandbox(verb, *more, unique("nobody")), "no running sandbox", "ENOENT")
        refused(sandbox(verb, *more, "../../etc/passwd"), "no name of a sandbox")
        refused(sandbox(verb, *more, "@"), "no name of a sandbox")
    for verb in ("pause", "resume", "update", "top"):
        refused(sandbox(verb), verb)


def test_bad_options():
    refused(sandbox("ps", "--format", "xml"), "table|json")
    refused(sandbox("stats", "--format", "xml"), "table|json")
    refused(sandbox("top", "--interval", "0", "x"), "--interval")
    refused(sandbox("top", "--count", "-1", "x"), "--count")
    refused(sandbox("update", "x"), "no limit is named")
    refused(sandbox("update", "--memory", "abc", "x"), "--memory")
    refused(sandbox("update", "--cpus", "0.001", "x"), "--cpus")
    refused(sandbox("gc", "x"), "too many")


def test_ps_lists_sandboxes_and_processes():
    with Running("listed", "sleep 1000 & exec -a $'bad\\e[31mname' sleep 1000") as running:
        check(running.name in sandbox("ps").stdout)
        entry = [one for one in json.loads(sandbox("ps", "--format", "json").stdout) if one["name"] == running.name][0]
        equal((entry["state"], entry["sentry"]), ("running", running.process.pid))
        wait_until(lambda: "bad" in sandbox("ps", running.name).stdout, "the program is not listed")
        processes = json.loads(sandbox("ps", "--format", "json", running.name).stdout)
        equal([one["pid"] for one in processes[:2]], [1, 2])
        equal(sum("sleep 1000" in one["command"] or "bad" in one["command"] for one in processes), 2)
        for one in processes:
            check(one["host_pid"] != one["pid"] and os.path.exists(f"/proc/{one['host_pid']}"), one)
        check("\x1b" not in sandbox("ps", running.name).stdout, "a command line can steer the terminal")


def test_stats_count_what_is_used():
    with Running("counted", f"x=$(head -c 30000000 /dev/zero | tr '\\0' x); {COUNT}", "--memory", "256m", "--cpus", "0.9",
                 "--pids-limit", "50") as running:
        wait_until(lambda: running.stats()["memory"]["used_bytes"] > 20_000_000, "the memory is not counted")
        first = running.stats()
        equal((first["memory"]["limit_bytes"], first["tasks"]["limit"], first["cpu"]["limit_cpus"]), (256 << 20, 50, 0.9))
        check(first["memory"]["peak_bytes"] >= first["memory"]["used_bytes"] - (4 << 20), first)
        equal(first["memory"]["kills"], 0)
        check(2 <= first["tasks"]["current"] <= 10, first)
        wait_until(lambda: running.stats()["cpu"]["total_ns"] > first["cpu"]["total_ns"], "the CPU time is not counted")
        check("256 MiB" in sandbox("stats", running.name).stdout)
        top = sandbox("top", "--interval", "0.3", running.name)
        equal(top.returncode, 0)
        check("%CPU" in top.stdout and "head -c" in top.stdout, top.stdout)


def test_pause_stops_everything_and_resume_goes_on():
    # The second process makes calls that the sentry answers.
    with Running("paused", f"(while :; do [ -e /etc/passwd ]; done) & {COUNT}") as running:
        def stands_still():
            """A process may be frozen, as the kernel counts, before it has left its CPU."""
            before = running.stats()["cpu"]["total_ns"]
            time.sleep(0.2)
            return running.stats()["cpu"]["total_ns"] == before

        for _ in range(3):
            equal(sandbox("pause", running.name).returncode, 0)
            equal(running.stats()["state"], "paused")
            equal(sandbox("pause", running.name).returncode, 0)
            wait_until(stands_still, "it runs on")
            first = running.stats()["cpu"]["total_ns"]
            equal(sandbox("resume", running.name).returncode, 0)
            equal(running.stats()["state"], "running")
            wait_until(lambda: running.stats()["cpu"]["total_ns"] > first, "it does not go on")


def test_a_paused_sandbox_dies_with_its_sentry():
    with Running("frozen", "sleep 1000") as running:
        equal(sandbox("pause", running.name).returncode, 0)
        members = [str(one["host_pid"]) for one in json.loads(sandbox("ps", "--format", "json", running.name).stdout)]
        running.process.kill()
        running.process.communicate()
        refused(sandbox("ps", running.name), "killed", "sandbox gc")
        result = sandbox("gc")
        equal(result.returncode, 0)
        check(running.name in result.stdout, result.stdout)
        wait_until(lambda: not any(is_alive(pid) for pid in members), "a frozen process is left")
        equal(groups_of(running.name), [])
        check(running.name not in sandbox("gc").stdout, "it is removed twice")


def test_gc_leaves_live_sandboxes_alone():
    with Running("live", "sleep 1000") as running:
        check(running.name not in sandbox("gc").stdout, "it is removed")
        check(groups_of(running.name), "its groups are gone")
        equal(running.stats()["state"], "running")


def test_an_update_is_seen_inside_at_once():
    trap = "show() { awk '/^MemTotal/ { print $2 }' /proc/meminfo; nproc; }; trap show USR1; "
    with Running("updated", "while :; do sleep 0.05; done", "--memory", "256m", "--cpus", "2", "--pids-limit", "50",
                 before=trap) as running:
        equal((running.ask(), running.process.stdout.readline()), ("262144\n", f"{min(2, os.cpu_count())}\n"))
        equal(sandbox("update", "--memory", "512m", "--cpus", "0.5", "--pids-limit", "60", running.name).returncode, 0)
        equal(running.ask(), "524288\n")
        running.process.stdout.readline()
        stats = running.stats()
        equal((stats["memory"]["limit_bytes"], stats["cpu"]["limit_cpus"], stats["tasks"]["limit"]), (512 << 20, 0.5, 60))
        equal(sandbox("update", "--memory", "128m", "--memory-swap", "128m", running.name).returncode, 0)
        equal(running.ask(), "131072\n")
        running.process.stdout.readline()
        equal(sandbox("update", "--memory", "max", "--cpus", "max", "--pids-limit", "max", running.name).returncode, 0)
        stats = running.stats()
        equal((stats["cpu"]["limit_cpus"], stats["tasks"]["limit"]), (None, None))


def test_nameless_sandboxes_are_found_by_pid():
    need_groups()
    process = start("--pids-limit", "50", "--", "sh", "-c", "echo ready; sleep 1000")
    try:
        result = sandbox("stats", "--format", "json", f"@{process.pid}")
        equal(json.loads(result.stdout)[0]["tasks"]["limit"], 50)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_many_start_and_end_at_once():
    need_groups()
    runs = [subprocess.Popen([SANDBOX, "run", "--pids-limit", "50", "--", "true"], stdin=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True) for _ in range(12)]
    runs += [subprocess.Popen([SANDBOX, "gc"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
             for _ in range(4)]
    for run in runs:
        error = run.communicate(timeout=50)[1]
        equal((run.returncode, error), (0, ""))
    for run in runs:
        equal(groups_of(f"@{run.pid}"), [])


if __name__ == "__main__":
    main(globals())
