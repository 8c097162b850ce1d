"""The lifecycle of runtime.md: states, commands, hooks, what is left behind."""
import array
import json
import os
import signal
import socket
import subprocess
import sys
import threading

from bundles import Bundle, groups_called, need_root, wait_until
from cases import SANDBOX, Skip, check, equal, is_alive, main


def test_run_passes_the_exit_code_on(folder):
    need_root()
    equal(Bundle(folder, "exit 7").run().returncode, 7)
    equal(Bundle(folder, "cat").run(stdin=None, input="text").stdout, "text")


def test_create_start_delete(folder):
    need_root()
    with Bundle(folder, "echo started; exec sleep 100") as bundle:
        equal(bundle.create("--pid-file", f"{folder}/pid"), 0)
        state = bundle.state()
        equal((state["status"], state["id"], state["bundle"]), ("created", bundle.id, folder))
        with open(f"{folder}/pid") as file:
            equal(int(file.read()), state["pid"])
        check(is_alive(state["pid"]), "its process is not there")
        equal(bundle.printed(), "")
        equal(bundle.call("start", bundle.id).stderr, "")
        wait_until(lambda: bundle.printed() == "started\n")
        equal(bundle.state()["status"], "running")
        check(bundle.call("delete", bundle.id).returncode != 0, "a running container was deleted")
        equal(bundle.call("kill", bundle.id, "KILL").stderr, "")
        wait_until(lambda: bundle.state()["status"] == "stopped")
        equal(bundle.state()["pid"], 0)
        equal(bundle.call("delete", bundle.id).stderr, "")
        check(bundle.nothing_left(), "something is left")
        check("does not exist" in bundle.call("state", bundle.id).stderr)


def test_start_only_from_created(folder):
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        equal(bundle.call("start", bundle.id).returncode, 0)
        check("it is running" in bundle.call("start", bundle.id).stderr)
        bundle.call("kill", bundle.id, "9")
        wait_until(lambda: bundle.state()["status"] == "stopped")
        check("it is stopped" in bundle.call("start", bundle.id).stderr)
        check("container not running" in bundle.call("kill", bundle.id, "9").stderr)


def test_config_changed_after_create_has_no_effect(folder):
    need_root()
    with Bundle(folder, "echo first") as bundle:
        equal(bundle.create(), 0)
        bundle.config["process"]["args"] = ["echo", "second"]
        bundle.save()
        bundle.call("start", bundle.id)
        wait_until(lambda: bundle.printed() != "")
        equal(bundle.printed(), "first\n")


def test_ids_are_unique(folder):
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        equal(bundle.create(), 1)
        check("exists already" in bundle.errors(), bundle.errors())
        equal(bundle.state()["status"], "created")


def test_delete_of_what_never_started(folder):
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        pid = bundle.state()["pid"]
        equal(bundle.call("delete", bundle.id).stderr, "")
        wait_until(lambda: not is_alive(pid))
        check(bundle.nothing_left(), "something is left")


def test_delete_force_of_nothing(folder):
    equal(Bundle(folder).call("delete", "--force", "none").returncode, 0)
    check("does not exist" in Bundle(folder).call("delete", "none").stderr)


def test_kill_and_states_of_signals(folder):
    need_root()
    with Bundle(folder, "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.05; done") as bundle:
        equal(bundle.create(), 0)
        bundle.call("start", bundle.id)
        wait_until(lambda: bundle.printed() == "ready\n")
        check("no such signal" in bundle.call("kill", bundle.id, "NOPE").stderr)
        equal(bundle.call("kill", bundle.id).stderr, "")
        wait_until(lambda: bundle.printed() == "ready\nterm\n")


def test_pause_and_resume(folder):
    need_root()
    with Bundle(folder, "while :; do echo x; sleep 0.02; done") as bundle:
        equal(bundle.create(), 0)
        bundle.call("start", bundle.id)
        wait_until(lambda: bundle.printed() != "")
        equal(bundle.call("pause", bundle.id).stderr, "")
        equal(bundle.state()["status"], "paused")
        before = bundle.printed()
        equal(bundle.printed(), before)
        check("it is paused" in bundle.call("pause", bundle.id).stderr)
        equal(bundle.call("resume", bundle.id).stderr, "")
        wait_until(lambda: len(bundle.printed()) > len(before))
        bundle.call("pause", bundle.id)
        equal(bundle.call("delete", "--force", bundle.id).stderr, "")
        check(bundle.nothing_left(), "something is left")


def test_list_ps_events_update(folder):
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        bundle.config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 50}}
        equal(bundle.create(), 0)
        bundle.call("start", bundle.id)
        listed = json.loads(bundle.call("list", "--format", "json").stdout)
        equal([(one["id"], one["status"]) for one in listed], [(bundle.id, "running")])
        equal(bundle.call("list", "-q").stdout, f"{bundle.id}\n")
        pid = bundle.state()["pid"]
        check(pid in json.loads(bundle.call("ps", "--format", "json", bundle.id).stdout), "its process is not listed")
        check(str(pid) in bundle.call("ps", bundle.id).stdout)
        event = json.loads(bundle.call("events", "--stats", bundle.id).stdout)
        equal((event["type"], event["id"], event["data"]["memory"]["usage"]["limit"]), ("stats", bundle.id, 64 << 20))
        equal(event["data"]["pids"]["limit"], 50)
        equal(bundle.call("update", "--memory", str(32 << 20), "--pids-limit", "20", bundle.id).stderr, "")
        resources = json.dumps({"cpu": {"quota": 50000, "period": 100000}})
        equal(bundle.call("update", "--resources", "-", bundle.id, stdin=None, input=resources).stderr, "")
        event = json.loads(bundle.call("events", "--stats", bundle.id).stdout)
        equal((event["data"]["memory"]["usage"]["limit"], event["data"]["pids"]["limit"]), (32 << 20, 20))


def test_hooks_run_in_order_with_the_state(folder):
    need_root()
    with Bundle(folder, "echo program >> /tmp/log") as bundle:
        log = f"{folder}/rootfs/tmp/log"
        script = f'read -r state; echo "$1 $state" >> {log}'
        kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
        bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", script, "sh", kind]}] for kind in kinds}
        equal(bundle.create(), 0)
        bundle.call("start", bundle.id)
        wait_until(lambda: bundle.state()["status"] == "stopped")
        bundle.call("delete", bundle.id)
        with open(log) as file:
            lines = [line.split(" ", 1) for line in file.read().splitlines()]
        told = {line[0]: json.loads(line[1]) for line in lines if len(line) > 1}
        equal([line[0] for line in lines if line[0] not in ("program", "poststart")],
              ["prestart", "createRuntime", "createContainer", "poststop"])
        equal((told["createRuntime"]["status"], told["poststart"]["status"], told["poststop"]["status"]),
              ("created", "running", "stopped"))
        check(told["createRuntime"]["pid"] > 0 and told["createRuntime"]["id"] == bundle.id)


def test_hooks_that_fail_hang_or_flood(folder):
    need_root()
    for hook, words in (({"path": "/bin/false"}, ("exited with 1",)),
                        ({"path": "/no/such"}, ("No such file",)),
                        ({"path": "/bin/sh", "args": ["sh", "-c", "sleep 100 & sleep 100"], "timeout": 1}, ("timeout of 1 s",)),
                        ({"path": "/bin/sh", "args": ["sh", "-c", "yes | head -c 9000000 >&2; exit 3"]}, ("exited with 3",))):
        bundle = Bundle(folder, "true")
        bundle.config["hooks"] = {"createRuntime": [hook]}
        bundle.refused("createRuntime", *words)


def test_a_console_socket_gets_the_terminal(folder):
    need_root()
    with Bundle(folder, "tty; stty size; exec sleep 100") as bundle:
        bundle.config["process"].update(terminal=True, consoleSize={"height": 33, "width": 77})
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{folder}/console")
        listener.listen()
        equal(bundle.create("--console-socket", f"{folder}/console"), 0)
        connection, _ = listener.accept()
        _, ancillary, _, _ = connection.recvmsg(100, socket.CMSG_SPACE(4))
        master = array.array("i", ancillary[0][2])[0]
        bundle.call("start", bundle.id)
        text = b""
        while b"77" not in text:
            text += os.read(master, 100)
        equal(text, b"/dev/pts/0\r\n33 77\r\n")


def test_terminal_without_a_taker(folder):
    need_root()
    bundle = Bundle(folder)
    bundle.config["process"]["terminal"] = True
    bundle.refused("terminal", "--console-socket")
    bundle.save()
    result = bundle.call("create", "--bundle", folder, "--console-socket", f"{folder}/none", bundle.id)
    check("No such file" in result.stderr and bundle.nothing_left(), result.stderr)


def test_preserved_descriptors(folder):
    need_root()
    bundle = Bundle(folder, "cat <&3")
    read_end, write_end = os.pipe()
    os.write(write_end, b"through\n")
    os.close(write_end)
    bundle.save()
    result = subprocess.run([sys.executable, "-c", f"""
import os, sys
os.dup2({read_end}, 3)
os.execv({SANDBOX!r}, {[SANDBOX, '--root', bundle.root, 'run', '--bundle', folder, '--preserve-fds', '1', bundle.id]!r})
"""], pass_fds=[read_end], capture_output=True, text=True, timeout=60)
    equal((result.stdout, result.stderr), ("through\n", ""))


def test_delete_below_a_frozen_group(folder):
    """Somebody else's group is frozen in the v1 freezer: what is in it cannot die before that is over."""
    need_root()
    top = f"/sys/fs/cgroup/freezer/sandbox-test-{os.getpid()}"
    try:
        os.mkdir(top)
    except OSError as error:
        raise Skip(f"needs the v1 freezer: {error}") from None
    try:
        with Bundle(folder, "sleep 100") as bundle:
            bundle.config["linux"]["cgroupsPath"] = f"/{os.path.basename(top)}/{bundle.id}"
            equal((bundle.create(), bundle.errors()), (0, ""))
            bundle.call("start", bundle.id)
            with open(f"{top}/freezer.state", "w") as file:
                file.write("FROZEN")
            result = bundle.call("delete", "--force", bundle.id)
            check(result.returncode == 1 and "is frozen (EBUSY)" in result.stderr, result.stderr)
            with open(f"{top}/freezer.state", "w") as file:
                file.write("THAWED")
            equal(bundle.call("delete", "--force", bundle.id).stderr, "")
            check(bundle.nothing_left(), "something is left")
    finally:
        for group in groups_called(os.path.basename(top)):
            os.rmdir(group)


def test_killed_sentry_ends_the_container(folder):
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        equal(bundle.create(), 0)
        bundle.call("start", bundle.id)
        pid = bundle.state()["pid"]
        with open(f"{bundle.root}/{bundle.id}/record.json") as file:
            sentry = json.load(file)["sentry"]
        os.kill(sentry, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid))
        equal(bundle.state()["status"], "stopped")
        equal(bundle.call("delete", bundle.id).stderr, "")
        check(bundle.nothing_left(), "something is left")


def test_groups_above_go_when_who_made_them_is_deleted(folder):
    need_root()
    above = f"above-{os.path.basename(folder)}"
    for name in ("one", "two"):
        os.mkdir(f"{folder}/{name}")
    first, second = (Bundle(f"{folder}/{name}", "sleep 100") for name in ("one", "two"))
    for bundle in (first, second):
        bundle.config["linux"]["cgroupsPath"] = f"/{above}/middle/{bundle.id}"
    with first, second:
        for bundle in (first, second):
            equal((bundle.create(), bundle.errors()), (0, ""))
        equal(second.call("delete", second.id).stderr, "")
        check(groups_called(above) or not groups_called(first.id), "the other container's groups are gone")
        equal(first.call("delete", first.id).stderr, "")
        equal(groups_called(above), [])


def test_killed_create_leaves_what_delete_removes(folder):
    need_root()
    with Bundle(folder, "sleep 100") as bundle:
        bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "50"]}]}
        bundle.save()
        process = subprocess.Popen([SANDBOX, "--root", bundle.root, "create", "--bundle", folder, bundle.id],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: bundle.call("state", bundle.id).returncode == 0 and bundle.state()["pid"] > 0)
        equal(bundle.state()["status"], "creating")
        pid = bundle.state()["pid"]
        process.kill()
        process.wait()
        equal(bundle.call("delete", bundle.id).stderr, "")
        check(not is_alive(pid), "its process is left")
        check(bundle.nothing_left(), "something is left")


def test_a_hundred_at_once(folder):
    need_root()
    bundles = []
    for number in range(100):
        bundle = Bundle(folder, "sleep 100")
        bundle.save()
        bundles.append(bundle)
    codes = []
    threads = [threading.Thread(target=lambda one=bundle: codes.append(start_detached(one))) for bundle in bundles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(codes, [0] * len(bundles))
    equal({bundle.state()["status"] for bundle in bundles}, {"running"})
    for bundle in bundles:
        equal(bundle.call("delete", "--force", bundle.id).stderr, "")
    equal(bundles[0].call("list", "-q").stdout, "")


def start_detached(bundle):
    return subprocess.run([SANDBOX, "--root", bundle.root, "run", "--detach", "--bundle", bundle.folder, bundle.id],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode


def test_a_sentry_leaves_nothing_behind(folder):
    need_root()
    with Bundle(folder, "true") as bundle:
        equal(bundle.create(), 0)
        with open(f"{bundle.root}/{bundle.id}/record.json") as file:
            sentry = json.load(file)["sentry"]
        bundle.call("start", bundle.id)
        wait_until(lambda: not is_alive(sentry))
        bundle.call("delete", bundle.id)
        equal((os.listdir(bundle.root), groups_called(bundle.id)), ([], []))


if __name__ == "__main__":
    main(globals())
