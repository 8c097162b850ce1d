"""podman with `sandbox` as its runtime: one case a feature. SANDBOX_TEST_RUNTIME=crun asks another runtime the same."""
import json
import os
import shutil
import subprocess

from bundles import wait_until
from cases import Skip, check, equal, main
from podman_engine import RUNTIME, Podman


def test_run_and_exit_codes():
    podman = Podman()
    equal(podman.output("image", "echo", "hello"), "hello\n")
    equal(podman.run("image", "sh", "-c", "exit 7").returncode, 7)
    equal(podman.run("image", "nothere").returncode, 127)
    equal(podman.run("image", "/etc").returncode, 126)


def test_interactive():
    equal(Podman().run("-i", "image", "cat", stdin=None, input="text").stdout, "text")


def test_terminal():
    podman = Podman()
    if shutil.which("script") is None:
        raise Skip("needs script (bsdutils)")
    command = f"podman --runtime {RUNTIME} run --rm --network none -it image sh -c 'tty; read line'"
    environment = {**os.environ, "CONTAINERS_CONF": f"{podman.folder}/containers.conf", "CONTAINERS_STORAGE_CONF": f"{podman.folder}/storage.conf"}
    with subprocess.Popen(["script", "-qec", command, "/dev/null"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as process:
        # It waits to be seen: of a terminal that is closed at once, the last words may be lost on their way.
        shown = next((line.strip() for line in process.stdout if "/dev/" in line), "")
        process.communicate("go on\n", timeout=60)
    equal((shown, process.returncode), ("/dev/pts/0", 0))


def test_environment_and_working_directory():
    equal(Podman().output("-e", "A=b", "-w", "/home/alice", "image", "sh", "-c", "echo $A; pwd"), "b\n/home/alice\n")


def test_user():
    podman = Podman()
    equal(podman.output("--user", "1000:77", "image", "sh", "-c", "id -u; id -g"), "1000\n77\n")
    equal(podman.output("--user", "alice", "image", "id", "-un"), "alice\n")


def test_read_only():
    podman = Podman()
    check("Read-only" in podman.run("--read-only", "image", "touch", "/x").stderr)
    equal(podman.output("--read-only", "image", "touch", "/tmp/x"), "")


def test_volumes():
    podman = Podman()
    os.makedirs(f"{podman.folder}/volume")
    volume = f"{podman.folder}/volume:/v"
    equal(podman.output("-v", volume, "image", "sh", "-c", "echo text > /v/file; cat /v/file"), "text\n")
    check("Read-only" in podman.run("-v", volume + ":ro", "image", "touch", "/v/x").stderr)
    equal(podman.output("-v", "named:/n", "image", "sh", "-c", "echo kept > /n/file"), "")
    equal(podman.output("-v", "named:/n", "image", "cat", "/n/file"), "kept\n")


def test_tmpfs():
    lines = Podman().output("--tmpfs", "/t:size=1m", "--tmpfs", "/etc", "image", "sh", "-c", "mount | grep ' /t '; ls /etc")
    check("size=1024k" in lines and "passwd" in lines, lines)


def test_capabilities():
    podman = Podman()
    effective = ["image", "grep", "CapEff", "/proc/self/status"]
    equal(int(podman.output("--cap-drop", "ALL", *effective).split()[1], 16), 0)
    equal(int(podman.output("--cap-drop", "ALL", "--cap-add", "NET_ADMIN", *effective).split()[1], 16), 1 << 12)


def test_privileged():
    caps = int(Podman().output("--privileged", "image", "grep", "CapEff", "/proc/self/status").split()[1], 16)
    check(caps & 1 << 21, hex(caps))


def test_hostname():
    equal(Podman().output("--hostname", "box", "image", "hostname"), "box\n")


def test_init():
    podman = Podman()
    if not any(os.path.exists(path) for path in ("/usr/libexec/podman/catatonit", "/usr/bin/catatonit")):
        raise Skip("needs catatonit")
    equal(podman.run("--init", "image", "sh", "-c", "exit 4").returncode, 4)


def test_memory():
    podman = Podman()
    check(" 65536 " in podman.output("--memory", "64m", "image", "free"))
    podman.start("x=a; while :; do x=$x$x$x$x; done", "--memory", "32m", "--memory-swap", "32m")
    equal(podman("wait", "c").stdout, "137\n")


def test_cpus_and_pids():
    podman = Podman()
    equal(podman.output("--cpus", "1", "image", "nproc"), "1\n")
    check("can't fork" in podman.run("--pids-limit", "5", "image", "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done").stderr)


def test_sysctl():
    equal(Podman().output("--sysctl", "net.ipv4.ip_forward=1", "image", "echo", "fine"), "fine\n")


def test_seccomp():
    podman = Podman()
    equal(podman.output("image", "grep", "Seccomp:", "/proc/self/status").split()[1], "2")
    equal(podman.output("--security-opt", "seccomp=unconfined", "image", "true"), "")
    with open(f"{podman.folder}/profile.json", "w") as file:
        json.dump({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}, file)
    check("not permitted" in podman.run("--security-opt", f"seccomp={podman.folder}/profile.json", "image", "mkdir", "/tmp/x").stderr)


def test_namespaces_of_the_host():
    podman = Podman()
    equal(podman.output("--uts", "host", "image", "hostname"), os.uname().nodename + "\n")
    for option in ("--pid", "--ipc"):
        equal(podman.output(option, "host", "image", "echo", "fine"), "fine\n")
    # Other tests make and remove interfaces meanwhile.
    before = set(os.listdir("/sys/class/net"))
    result = podman("run", "--rm", "--network", "host", "image", "sh", "-c", "ip link; ls /sys/class/net; cat /sys/class/net/lo/address")
    lasting = before & set(os.listdir("/sys/class/net")) - {"bonding_masters"}
    check(all(result.stdout.count(f" {name}") >= 1 and f"\n{name}\n" in result.stdout for name in lasting), result.stdout)
    check(result.stdout.endswith("\n00:00:00:00:00:00\n"), result.stdout)


def test_namespaces_of_another_container():
    podman = Podman()
    podman.start("sleep 100")
    for option in ("--network", "--ipc", "--pid"):
        result = podman("run", "--rm", option, "container:c", "image", "echo", "fine")
        equal((result.stdout, result.stderr), ("fine\n", ""))


def test_rootfs():
    podman = Podman()
    equal(podman.output("--rootfs", f"{podman.folder}/rootfs", "echo", "fine"), "fine\n")


def test_detach_logs_and_restart():
    podman = Podman()
    podman.start("trap 'echo term; exit 3' TERM; echo started; while :; do sleep 0.05; done")
    wait_until(lambda: podman("logs", "c").stdout == "started\n")
    equal(podman.status(), "running")
    equal(podman("stop", "-t", "10", "c").stderr, "")
    equal((podman.status(), podman.status("ExitCode"), podman("logs", "c").stdout), ("exited", "3", "started\nterm\n"))
    equal(podman("restart", "c").stderr, "")
    equal(podman.status(), "running")
    equal(podman("kill", "c").stderr, "")
    wait_until(lambda: podman.status() == "exited")
    equal(podman.status("ExitCode"), "137")
    equal(podman("rm", "c").stderr, "")


def test_pause():
    podman = Podman()
    podman.start("sleep 100")
    equal(podman("pause", "c").stderr, "")
    equal(podman.status(), "paused")
    equal(podman("unpause", "c").stderr, "")
    equal(podman.status(), "running")


def test_exec():
    podman = Podman()
    podman.start("sleep 100")
    equal(podman("exec", "c", "echo", "hello").stdout, "hello\n")
    equal(podman("exec", "c", "sh", "-c", "exit 9").returncode, 9)
    equal(podman("exec", "-i", "c", "cat", stdin=None, input="text").stdout, "text")
    equal(podman("exec", "--user", "1000", "-e", "A=b", "-w", "/tmp", "c", "sh", "-c", "id -u; echo $A; pwd").stdout, "1000\nb\n/tmp\n")
    equal(podman("exec", "-d", "c", "touch", "/tmp/detached").returncode, 0)
    wait_until(lambda: podman("exec", "c", "ls", "/tmp").stdout == "detached\n")
    equal(podman("exec", "c", "nothere").returncode, 127)
    equal(podman("exec", "--privileged", "c", "echo", "fine").stdout, "fine\n")


def test_healthcheck():
    podman = Podman()
    podman.start("sleep 100", "--health-cmd", "test -d /tmp")
    equal(podman("healthcheck", "run", "c").returncode, 0)


def test_stats():
    podman = Podman()
    podman.start("sleep 100")
    stats = json.loads(podman("stats", "--no-stream", "--format", "json", "c").stdout)[0]
    check(int(stats["pids"]) >= 1 and stats["mem_usage"] != "", str(stats))


def test_top_of_a_running_container():
    podman = Podman()
    podman.start("sleep 100 & exec sleep 200", "--user", "1000")
    lines = [line.split() for line in podman("top", "c", "pid", "ppid", "user", "args").stdout.splitlines()]
    equal(lines, [["PID", "PPID", "USER", "COMMAND"], ["1", "0", "alice", "sleep", "200"], ["2", "1", "alice", "sleep", "100"]])
    # What podman does not know itself it asks ps in the container.
    check("sleep 200" in podman("top", "c", "-o", "pid,args").stdout)


def test_copy_to_and_from_a_running_container():
    podman = Podman()
    for name in ("volume", "folder/deep"):
        os.makedirs(f"{podman.folder}/{name}")
    with open(f"{podman.folder}/folder/deep/file", "w") as file:
        file.write("text")
    podman.start("sleep 100", "-v", f"{podman.folder}/volume:/data", "--tmpfs", "/t")
    for place in ("/tmp", "/data", "/t", "/home/alice"):
        equal(podman("cp", f"{podman.folder}/folder", f"c:{place}").stderr, "")
        equal(podman("exec", "c", "cat", f"{place}/folder/deep/file").stdout, "text")
        equal(podman("exec", "c", "sh", "-c", f"echo changed > {place}/folder/deep/file").stderr, "")
        target = f"{podman.folder}/copy{place.replace('/', '-')}"
        equal(podman("cp", f"c:{place}/folder/deep", target).stderr, "")
        with open(f"{target}/file") as file:
            equal(file.read(), "changed\n")
    check(os.path.exists(f"{podman.folder}/volume/folder/deep/file"), "it is not in the volume")
    equal(podman("cp", "c:/nothere", podman.folder).returncode, 125)


def test_engines_hear_that_memory_ran_out():
    podman = Podman()
    podman.start("x=a; while :; do x=$x$x$x$x; done", "--memory", "32m", "--memory-swap", "32m")
    equal(podman("wait", "c").stdout, "137\n")
    # conmon 2.1 notes it where it was started, and podman 4.3 looks for it elsewhere: both are asked.
    wait_until(lambda: podman.status("OOMKilled") == "true" or os.path.exists(f"{podman.folder}/oom"))


def test_update():
    podman = Podman()
    podman.start("sleep 100", "--memory", "64m", "--memory-swap", "64m")
    for option, value in (("--memory", "48m"), ("--memory-swap", "48m"), ("--cpus", "1"), ("--cpu-shares", "99")):
        result = podman("update", option, value, "c")
        equal((result.returncode, result.stderr), (0, ""))
    check(" 49152 " in podman("exec", "c", "free").stdout)
    equal(podman("exec", "c", "nproc").stdout, "1\n")


def test_pod():
    podman = Podman()
    result = podman("pod", "create", "--name", "p", "--network", "none", "--infra-image", "image", "--infra-command", "sleep 100")
    if result.returncode != 0:
        raise Skip(f"no pod can be made here: {result.stderr}")
    ran = podman("run", "--rm", "--pod", "p", "image", "echo", "fine")
    equal((ran.stdout, ran.stderr), ("fine\n", ""))


def test_pod_with_one_pid_namespace():
    podman = Podman()
    result = podman("pod", "create", "--name", "p", "--share", "pid,ipc,uts", "--infra-image", "image", "--infra-command", "sleep 100")
    if result.returncode != 0:
        raise Skip(f"no pod can be made here: {result.stderr}")
    ran = podman("run", "--rm", "--network", "none", "--pod", "p", "image", "sh", "-c", "kill -0 1 && echo reached")
    equal((ran.stdout, ran.stderr), ("reached\n", ""))
    equal(podman("pod", "stop", "-t", "0", "p").stderr, "")


if __name__ == "__main__":
    main(globals())
