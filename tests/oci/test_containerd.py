"""containerd's ctr and shim with `sandbox` as the runtime's binary."""
import os
import shutil

from bundles import wait_until
from cases import SANDBOX, Skip, check, equal, main
from daemons import IMAGE, Containerd, output_until_end


def test_run_and_exit_codes():
    containerd = Containerd()
    equal(containerd.printed(IMAGE, "one", script="echo hello"), "hello\n")
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
    equal(containerd.printed_by_exec("--exec-id", "e1", "c", script="echo inside"), "inside\n")
    equal(containerd.ctr("tasks", "exec", "--exec-id", "e2", "c", "sh", "-c", "exit 9").returncode, 9)
    equal(containerd.printed_by_exec("--exec-id", "e3", "--user", "1000", "c", script="id -u"), "1000\n")
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
    equal(containerd.printed("--memory-limit", str(64 << 20), IMAGE, "m", script="free | grep -c ' 65536 '"), "1\n")
    equal(containerd.printed("--cwd", "/home/alice", "--env", "A=b", IMAGE, "o", script="pwd; echo $A"), "/home/alice\nb\n")
    check("Read-only" in containerd.printed("--read-only", IMAGE, "r", script="touch /x"))
    volume = f"{containerd.folder}/volume"
    os.makedirs(volume)
    mount = f"type=bind,src={volume},dst=/v,options=rbind:rw"
    equal(containerd.printed("--mount", mount, IMAGE, "v", script="echo kept > /v/file"), "")
    with open(f"{volume}/file") as file:
        equal(file.read(), "kept\n")


def test_a_terminal():
    containerd = Containerd()
    if shutil.which("script") is None:
        raise Skip("needs script (bsdutils)")
    command = (f"ctr --address {containerd.folder}/grpc.sock --namespace {containerd.namespace} run --rm -t --runc-binary {SANDBOX} {IMAGE} t "
               "sh -c 'tty; stty size; echo end-of-output; read line'")
    printed = output_until_end(["script", "-qec", command, "/dev/null"])
    check("/dev/pts/0" in printed, printed)


if __name__ == "__main__":
    main(globals())
