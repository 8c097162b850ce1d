"""dockerd with `sandbox` as a runtime."""
import json

from bundles import wait_until
from cases import check, equal, main
from daemons import Docker

IMAGE = "sandbox-test:1"


def test_run_and_exit_codes():
    docker = Docker()
    equal(docker.run("--rm", IMAGE, "echo", "hello").stdout, "hello\n")
    equal(docker.run("--rm", IMAGE, "sh", "-c", "exit 7").returncode, 7)
    equal(docker.run("--rm", IMAGE, "nothere").returncode, 127)
    equal(docker.run("--rm", "-i", IMAGE, "cat", stdin=None, input="text").stdout, "text")
    equal(docker.run("--rm", "-u", "1000", "-e", "A=b", "-w", "/tmp", "--hostname", "box", IMAGE, "sh", "-c", "id -u; echo $A; pwd; hostname").stdout,
          "1000\nb\n/tmp\nbox\n")


def test_volumes_and_limits():
    docker = Docker()
    equal(docker.run("--rm", "-v", "named:/v", IMAGE, "sh", "-c", "echo kept > /v/file").stderr, "")
    equal(docker.run("--rm", "-v", "named:/v:ro", IMAGE, "cat", "/v/file").stdout, "kept\n")
    check("Read-only" in docker.run("--rm", "--read-only", IMAGE, "touch", "/x").stderr)
    equal(docker.run("--rm", "--memory", "64m", "--cpus", "1", IMAGE, "sh", "-c", "free | grep -c ' 65536 '; nproc").stdout, "1\n1\n")
    equal(docker.run("--rm", "--tmpfs", "/t:size=1m", "--shm-size", "2m", IMAGE, "sh", "-c", "mount | grep -c 'size=1024k'; mount | grep -c 'size=2048k'").stdout,
          "1\n1\n")


def test_a_container_through_its_life():
    docker = Docker()
    script = "trap 'echo term; exit 3' TERM; echo started; while :; do sleep 0.05; done"
    equal(docker.run("-d", "--name", "cc", IMAGE, "sh", "-c", script).stderr, "")
    wait_until(lambda: docker("logs", "cc").stdout == "started\n")
    equal(docker("exec", "cc", "echo", "inside").stdout, "inside\n")
    equal(docker("exec", "-i", "-u", "1000", "cc", "sh", "-c", "id -u; cat", stdin=None, input="text").stdout, "1000\ntext")
    check("sleep" in docker("top", "cc").stdout)
    stats = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", "cc").stdout)
    check(int(stats["PIDs"]) >= 1, stats)
    equal(docker("update", "--memory", "128m", "--memory-swap", "128m", "cc").stderr, "")
    check(" 131072 " in docker("exec", "cc", "free").stdout)
    equal(docker("pause", "cc").stderr, "")
    equal(docker("inspect", "-f", "{{.State.Status}}", "cc").stdout, "paused\n")
    equal(docker("unpause", "cc").stderr, "")
    equal(docker("stop", "-t", "10", "cc").stderr, "")
    equal(docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "cc").stdout, "exited 3\n")
    equal(docker("restart", "cc").stderr, "")
    wait_until(lambda: docker("logs", "cc").stdout == "started\nterm\nstarted\n")
    equal(docker("kill", "cc").stderr, "")
    wait_until(lambda: docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "cc").stdout == "exited 137\n")
    equal(docker("rm", "cc").stderr, "")


if __name__ == "__main__":
    main(globals())
