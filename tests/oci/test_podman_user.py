"""podman as an ordinary user, with `sandbox` as its runtime."""
import os

from bundles import wait_until
from cases import Skip, check, equal, main
from podman_engine import UserPodman


def prints_fine(podman, option, value):
    """A network is always named: the default one needs slirp4netns."""
    network = [] if option == "--network" else ["--network", "none"]
    result = podman("run", "--rm", *network, option, value, "image", "echo", "fine")
    equal((result.stdout, result.stderr), ("fine\n", ""))


def test_run():
    podman = UserPodman()
    equal(podman.output("image", "sh", "-c", "echo $HOME; id -u; hostname | wc -c"), "/root\n0\n13\n")
    equal(podman.run("image", "sh", "-c", "exit 7").returncode, 7)
    equal(podman.run("image", "nothere").returncode, 127)
    check("Read-only" in podman.run("--read-only", "image", "touch", "/x").stderr)
    equal(podman.output("--tmpfs", "/t", "--cap-drop", "ALL", "image", "sh", "-c", "touch /t/x; ls /t"), "x\n")
    equal(podman.output("--sysctl", "net.ipv4.ip_forward=1", "image", "cat", "/proc/sys/net/ipv4/ip_forward"), "1\n")


def test_namespaces_of_the_host():
    podman = UserPodman()
    for option in ("--network", "--pid", "--uts"):
        prints_fine(podman, option, "host")


def test_privileged():
    equal(UserPodman().output("--privileged", "image", "echo", "fine"), "fine\n")


def test_volume():
    podman = UserPodman()
    os.makedirs(f"{podman.folder}/user/volume")
    os.chown(f"{podman.folder}/user/volume", 65534, 65534)
    equal(podman.output("-v", f"{podman.folder}/user/volume:/v", "image", "sh", "-c", "echo text > /v/file; cat /v/file"), "text\n")
    equal(os.stat(f"{podman.folder}/user/volume/file").st_uid, 65534)


def test_a_running_container():
    podman = UserPodman()
    podman.start("trap 'exit 3' TERM; while :; do sleep 0.05; done")
    equal(podman("exec", "c", "echo", "hello").stdout, "hello\n")
    equal(podman("exec", "-i", "c", "cat", stdin=None, input="text").stdout, "text")
    equal(podman("exec", "c", "nothere").returncode, 127)
    check(podman("top", "c", "pid", "comm").stdout.splitlines()[1].split() == ["1", "sh"])
    equal(podman("cp", f"{podman.folder}/containers.conf", "c:/tmp/copy").stderr, "")
    equal(podman("exec", "c", "grep", "-c", "events_logger", "/tmp/copy").stdout, "1\n")
    for option in ("--pid", "--ipc", "--network"):
        prints_fine(podman, option, "container:c")
    equal(podman("stop", "-t", "10", "c").stderr, "")
    equal((podman.status(), podman.status("ExitCode")), ("exited", "3"))
    equal(podman("restart", "c").stderr, "")
    equal(podman("kill", "c").stderr, "")
    wait_until(lambda: podman.status() == "exited")
    equal(podman("rm", "c").stderr, "")


def test_pod():
    podman = UserPodman()
    result = podman("pod", "create", "--name", "p", "--network", "none", "--infra-image", "image", "--infra-command", "sleep 100")
    if result.returncode != 0:
        raise Skip(f"no pod can be made here: {result.stderr}")
    equal(podman("run", "--rm", "--pod", "p", "image", "echo", "fine").stdout, "fine\n")


if __name__ == "__main__":
    main(globals())
