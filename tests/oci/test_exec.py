"""exec: further processes of a container that runs."""
import array
import json
import os
import socket
import subprocess

from bundles import Bundle, need_root, wait_until
from cases import SANDBOX, check, equal, is_alive, main


class Running(Bundle):
    def __enter__(self):
        need_root()
        equal((self.create(), self.errors()), (0, ""))
        equal(self.call("start", self.id).stderr, "")
        return self

    def exec(self, *words, **options):
        return self.call("exec", *words, **options)


def test_output_input_and_exit_code(folder):
    with Running(folder, "sleep 100") as bundle:
        result = bundle.exec(bundle.id, "sh", "-c", "cat; echo error >&2; exit 9", stdin=None, input="text")
        equal((result.stdout, result.stderr, result.returncode), ("text", "error\n", 9))


def test_it_sees_the_container(folder):
    with Running(folder, "echo $$ > /tmp/pid; sleep 100") as bundle:
        wait_until(lambda: "sleep 100" in bundle.exec(bundle.id, "ps").stdout)
        result = bundle.exec(bundle.id, "sh", "-c", "ps; cat /tmp/pid; hostname; ls /proc/1/ns > /dev/null && echo ns")
        check("sleep 100" in result.stdout and result.stdout.endswith("1\nsandbox\nns\n"), result.stdout + result.stderr)


def test_options(folder):
    with Running(folder, "sleep 100") as bundle:
        result = bundle.exec("--user", "1000:77", "--cwd", "/tmp", "--env", "A=b", "-g", "88", "--cap", "CAP_KILL", bundle.id,
                             "sh", "-c", "id -u; id -g; id -G; pwd; echo $A")
        equal((result.stdout, result.stderr), ("1000\n77\n77 88\n/tmp\nb\n", ""))
        equal(bundle.exec("-u", "alice", bundle.id, "id", "-un").stdout, "alice\n")


def test_process_file(folder):
    with Running(folder, "sleep 100") as bundle:
        process = {**bundle.config["process"], "args": ["sh", "-c", "pwd; id -u; umask"], "cwd": "/home/alice",
                   "user": {"uid": 1000, "gid": 1000, "umask": 0o77},
                   "rlimits": [{"type": "RLIMIT_CORE", "soft": 5120, "hard": 10240}]}
        process["args"][2] += "; ulimit -c; ulimit -Hc"
        with open(f"{folder}/process", "w") as file:
            json.dump(process, file)
        equal(bundle.exec("--process", f"{folder}/process", bundle.id).stdout, "/home/alice\n1000\n0077\n10\n20\n")


def test_detached_with_a_pid_file(folder):
    with Running(folder, "sleep 100") as bundle:
        words = [SANDBOX, "--root", bundle.root, "exec", "--detach", "--pid-file", f"{folder}/pid", bundle.id, "sleep", "50"]
        equal(subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode, 0)
        with open(f"{folder}/pid") as file:
            pid = int(file.read())
        check(is_alive(pid), "it is not there")
        check(pid in json.loads(bundle.call("ps", "--format", "json", bundle.id).stdout), "it is not in the container's group")
        bundle.call("kill", bundle.id, "KILL")
        wait_until(lambda: not is_alive(pid))


def test_terminal(folder):
    with Running(folder, "sleep 100") as bundle:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/console")
        listener.listen()
        words = [SANDBOX, "--root", bundle.root, "exec", "--tty", "--detach", "--console-socket", f"{folder}/console", bundle.id, "tty"]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        connection, _ = listener.accept()
        _, ancillary, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(4))
        master = array.array("i", ancillary[0][2])[0]
        equal(os.read(master, 100), b"/dev/pts/0\r\n")
        equal(process.wait(), 0)


def test_failures(folder):
    with Running(folder, "sleep 100") as bundle:
        for words, said in (([bundle.id, "/no/such"], "No such file or directory"), ([bundle.id, "nothere"], "PATH"),
                            (["--cwd", "/none", bundle.id, "true"], "/none"), (["--user", "nobody-here", bundle.id, "true"], "nobody-here"),
                            (["--cap", "CAP_NONE", bundle.id, "true"], "CAP_NONE"), ([bundle.id], "no program"), (["none", "true"], "does not exist")):
            result = bundle.exec(*words)
            check(result.returncode != 0 and said in result.stderr, f"{words}: {result.stderr}")
        bundle.call("pause", bundle.id)
        check("paused" in bundle.exec(bundle.id, "true").stderr)
        bundle.call("resume", bundle.id)
        bundle.call("kill", bundle.id, "KILL")
        wait_until(lambda: bundle.state()["status"] == "stopped")
        check("not running" in bundle.exec(bundle.id, "true").stderr)


def test_many_one_after_the_other(folder):
    with Running(folder, "sleep 100") as bundle:
        for number in range(30):
            equal(bundle.exec(bundle.id, "echo", str(number)).stdout, f"{number}\n")
        with open(f"{bundle.root}/{bundle.id}/record.json") as file:
            sentry = json.load(file)["sentry"]
        check(len(os.listdir(f"/proc/{sentry}/task")) < 10, "threads of ended processes are left")


def test_it_is_under_the_containers_seccomp_profile(folder):
    bundle = Running(folder, "sleep 100")
    bundle.config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
                                         "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}
    with bundle:
        check("not implemented" in bundle.exec(bundle.id, "mkdir", "/tmp/x").stderr)


def test_home(folder):
    with Running(folder, "sleep 100") as bundle:
        equal(bundle.call("exec", bundle.id, "sh", "-c", "echo $HOME").stdout, "/root\n")
        equal(bundle.call("exec", "--user", "1000", bundle.id, "sh", "-c", "echo $HOME").stdout, "/home/alice\n")
        equal(bundle.call("exec", "--env", "HOME=/tmp", bundle.id, "sh", "-c", "echo $HOME").stdout, "/tmp\n")


def test_cpus(folder):
    """config.md#linux-process: execCPUAffinity (object, OPTIONAL) specifies CPU affinity used to execute the process."""
    need_root()
    cpu = str(min(os.sched_getaffinity(0)))
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        bundle.call("start", bundle.id)
        process = {**bundle.config["process"], "args": ["grep", "Cpus_allowed_list", "/proc/self/status"]}
        for affinity, said in (({"final": cpu}, cpu), ({"initial": cpu, "final": cpu}, cpu), ({"final": "none"}, ""), ({"initial": "1-x"}, "")):
            with open(f"{folder}/process", "w") as file:
                json.dump({**process, "execCPUAffinity": affinity}, file)
            result = bundle.call("exec", "--process", f"{folder}/process", bundle.id)
            if said:
                equal(result.stdout.split()[1:], [said])
            else:
                check("is no list" in result.stderr, result.stderr)


if __name__ == "__main__":
    main(globals())
