"""containerd's ctr and shim with `sandbox` as the runtime's binary."""
import os
import shutil
import subprocess

from bundles import wait_until
from cases import SANDBOX, Skip, check, equal, main
from daemons import IMAGE, Containerd


def test_run_and_exit_codes():
    containerd = Containerd()
    equal(containerd.run("--rm", IMAGE, "one", "echo", "hello").stdout, "hello\n")
    equal(containerd.run("--rm", IMAGE, "two", "sh", "-c", "exit 7").returncode, 7)
    missing = containerd.run("--rm", IMAGE, "three", "nothere")
    check(missing.returncode != 0 and "nothere" in missing.stderr, missing.stderr)
    equal(containerd.ctr("tasks", "ls", "-q").stdout, "")


def test_a_task_through_its_life():
    containerd = Containerd()
    equal(containerd.run("-d", IMAGE, "c", "sleep", "1000").stderr, "")
    check("RUNNING" in containerd.ctr("tasks", "ls").stdout)
    pid = containerd.ctr("tasks", "ls").stdout.splitlines()[1].split()[1]
    check(pid in containerd.ctr("tasks", "ps", "c").stdout)
    equal(containerd.ctr("tasks", "exec", "--exec-id", "e1", "c", "echo", "inside").stdout, "inside\n")
    equal(containerd.ctr("tasks", "exec", "--exec-id", "e2", "c", "sh", "-c", "exit 9").returncode, 9)
    equal(containerd.ctr("tasks", "exec", "--exec-id", "e3", "--user", "1000", "c", "id", "-u").stdout, "1000\n")
    metrics = containerd.ctr("tasks", "metrics", "c").stdout
    check("memory.usage_in_bytes" in metrics or "memory.usage" in metrics, metrics)
    equal(containerd.ctr("tasks", "pause", "c").stderr, "")
    check("PAUSED" in containerd.ctr("tasks", "ls").stdout)
    equal(containerd.ctr("tasks", "resume", "c").stderr, "")
    check("RUNNING" in containerd.ctr("tasks", "ls").stdout)
    equal(containerd.ctr("tasks", "kill", "--signal", "SIGKILL", "c").stderr, "")
    wait_until(lambda: "STOPPED" in containerd.ctr("tasks", "ls").stdout)
    equal(containerd.ctr("tasks", "delete", "c").stdout, "")
    equal(containerd.ctr("containers", "delete", "c").stderr, "")


def test_limits_and_options():
    containerd = Containerd()
    equal(containerd.run("--rm", "--memory-limit", str(64 << 20), IMAGE, "m", "sh", "-c", "free | grep -c ' 65536 '").stdout, "1\n")
    equal(containerd.run("--rm", "--cwd", "/home/alice", "--env", "A=b", IMAGE, "o", "sh", "-c", "pwd; echo $A").stdout,
          "/home/alice\nb\n")
    check("Read-only" in containerd.run("--rm", "--read-only", IMAGE, "r", "touch", "/x").stderr)
    volume = f"{containerd.folder}/volume"
    os.makedirs(volume)
    mount = f"type=bind,src={volume},dst=/v,options=rbind:rw"
    equal(containerd.run("--rm", "--mount", mount, IMAGE, "v", "sh", "-c", "echo kept > /v/file").stderr, "")
    with open(f"{volume}/file") as file:
        equal(file.read(), "kept\n")


def test_a_terminal():
    containerd = Containerd()
    if shutil.which("script") is None:
        raise Skip("needs script (bsdutils)")
    command = (f"ctr --address {containerd.folder}/grpc.sock --namespace {containerd.namespace} run --rm -t --runc-binary {SANDBOX} {IMAGE} t "
               "sh -c 'tty; stty size'")
    result = subprocess.run(["script", "-qec", command, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    check("/dev/pts/0" in result.stdout, result.stdout + result.stderr)


if __name__ == "__main__":
    main(globals())
